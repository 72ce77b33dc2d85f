//! What arrived: a topic read back from its beginning.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use serde::{Deserialize, Serialize};
use test_support::kafka::Server;

const PATIENCE: Duration = Duration::from_secs(60);

/// How long rows are waited for behind the end.
const LATE: Duration = Duration::from_secs(10);

/// How right a run was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Correctness {
    /// Rows that are not in the topic.
    pub missing: u64,
    /// Records of rows that are there already.
    pub duplicates: u64,
    /// Records that are behind a later one of their key.
    pub disorders: u64,
}

impl Correctness {
    /// Whether every row is there once and in order.
    pub fn is_perfect(self) -> bool {
        self == Self::default()
    }
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

/// As [`check`], without blocking; then deletes the topic, as it holds a copy of the rows.
///
/// # Errors
/// As [`check`].
pub async fn checked(
    kafka: &Server,
    topic: &str,
    rows: u64,
    keys: u32,
) -> anyhow::Result<Correctness> {
    let (server, name) = (kafka.clone(), topic.to_owned());
    let found = tokio::task::spawn_blocking(move || check(&server, &name, rows, keys)).await??;
    kafka.delete_topic(topic).await?;
    Ok(found)
}

/// Reads all that the topic holds, and compares it with `rows` rows, numbered from 0 within each
/// of `keys` keys. Blocks.
///
/// # Errors
/// The broker is away, or a record is none of the rows.
pub fn check(kafka: &Server, topic: &str, rows: u64, keys: u32) -> anyhow::Result<Correctness> {
    let consumer: BaseConsumer = kafka
        .client_config()
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .context("making a consumer")?;
    let metadata =
        consumer.fetch_metadata(Some(topic), PATIENCE).context("looking at the topic")?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        partitions.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    let mut open = partitions.count();
    consumer.assign(&partitions).context("reading the topic")?;
    let mut seen: HashMap<Box<[u8]>, (u64, Vec<bool>)> = HashMap::new();
    let (mut found, mut correctness) = (0, Correctness::default());
    let each = usize::try_from(rows / u64::from(keys) + 2)?;
    let (mut heard, mut ended) = (Instant::now(), HashSet::new());
    // The last transactions show a moment after their commit: what marks them is written behind it.
    while open > 0 || found < rows && heard.elapsed() < LATE {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            if open > 0 && heard.elapsed() > PATIENCE {
                bail!("the topic {topic} is not readable to its end");
            }
            continue;
        };
        let message = match message {
            Ok(message) => message,
            Err(rdkafka::error::KafkaError::PartitionEOF(partition)) => {
                if ended.insert(partition) {
                    heard = Instant::now();
                    open -= 1;
                }
                continue;
            }
            Err(error) => return Err(error).context("reading the topic"),
        };
        heard = Instant::now();
        let payload = message.payload().context("a record without a payload")?;
        let number = serde_json::from_slice::<Numbered>(payload)?.number;
        let key = message.key().context("a record without a key")?;
        if !seen.contains_key(key) {
            seen.insert(key.into(), (0, vec![false; each]));
        }
        let Some((next, numbers)) = seen.get_mut(key) else { continue };
        let place = numbers.get_mut(usize::try_from(number)?).context("a row nobody wrote")?;
        if std::mem::replace(place, true) {
            correctness.duplicates += 1;
            continue;
        }
        found += 1;
        if number < *next {
            correctness.disorders += 1;
        }
        *next = number + 1;
    }
    correctness.missing = rows.saturating_sub(found);
    Ok(correctness)
}
