//! How long a row takes from its writer to a consumer, at a steady rate.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use futures::future::try_join_all;
use kit::wake::Wake;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{FutureProducer, FutureRecord},
};
use serde::Deserialize;
use serde_json::json;
use test_support::{kafka::Server, postgres::TestDatabase};
use tokio::{
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

/// Connections that rows are written by.
const WRITERS: u32 = 4;

/// How long the last rows may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is written.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Rows a second, of all writers together.
    pub rate: u32,
    /// For how long.
    pub time: Duration,
    /// Bytes of each payload, about.
    pub payload: usize,
}

impl Pace {
    fn rows_per_writer(self) -> u64 {
        (u64::from(self.rate) * self.time.as_secs()).div_ceil(u64::from(WRITERS))
    }

    /// Rows of each writer that are not measured: the first second, in which connections are
    /// made, or of a short stream the first quarter.
    fn warm_up(self) -> u64 {
        u64::from(self.rate.div_ceil(WRITERS)).min(self.rows_per_writer() / 4)
    }

    /// Rows that will be written.
    pub fn rows(self) -> u64 {
        self.rows_per_writer() * u64::from(WRITERS)
    }

    /// Writes all; returns the milliseconds that each write took, sorted.
    async fn each<F, Done>(self, write: impl Fn(String, String) -> F) -> anyhow::Result<Vec<f64>>
    where
        F: Future<Output = anyhow::Result<Done>>,
    {
        let write = &write;
        let writer = |writer: u32| async move {
            let period = Duration::from_secs_f64(f64::from(WRITERS) / f64::from(self.rate));
            let mut ticks = interval(period);
            // A writer that was held up makes up for it: the rate is what is asked for.
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut millis = Vec::new();
            for number in 0..self.rows_per_writer() {
                ticks.tick().await;
                let filler = "x".repeat(self.payload.saturating_sub(60));
                let payload = json!({ "number": number, "at": micros()?, "filler": filler });
                let started = Instant::now();
                write(format!("writer-{writer}"), payload.to_string()).await?;
                if number >= self.warm_up() {
                    millis.push(started.elapsed().as_secs_f64() * 1e3);
                }
            }
            anyhow::Ok(millis)
        };
        let mut millis = try_join_all((0..WRITERS).map(writer)).await?.concat();
        millis.sort_by(f64::total_cmp);
        Ok(millis)
    }
}

/// Writes rows into the outbox, each in a transaction of its own, and wakes the relay after each
/// commit as the shop's services do. Returns the milliseconds that the commits took, sorted.
///
/// # Errors
/// The database refuses.
pub async fn write(database: &TestDatabase, wake: &Wake, pace: Pace) -> anyhow::Result<Vec<f64>> {
    let sql = "INSERT INTO outbox (id, aggregate_id, type, payload)
               VALUES (gen_random_uuid(), $1, 'bench.happened', $2::text::jsonb)";
    let mut clients = Vec::new();
    for _ in 0..WRITERS {
        let client = database.connect().await?;
        let statement = client.prepare(sql).await.context("preparing the insert")?;
        clients.push(Arc::new((client, statement)));
    }
    let clients = &clients;
    pace.each(|key, payload| async move {
        let index: usize = key.trim_start_matches("writer-").parse()?;
        let (client, statement) = &**clients.get(index).context("an unknown writer")?;
        client.execute(statement, &[&key, &payload]).await.context("writing a row")?;
        wake.wake();
        Ok(())
    })
    .await
}

/// Produces records directly: what no relay can be faster than.
///
/// # Errors
/// The broker refuses.
pub async fn produce(kafka: &Server, topic: &str, pace: Pace) -> anyhow::Result<()> {
    let producer: FutureProducer = kafka
        .client_config()
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .create()
        .context("making a producer")?;
    let producer = &producer;
    pace.each(|key, payload| async move {
        let record = FutureRecord::to(topic).key(&key).payload(&payload);
        producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("producing")
    })
    .await
    .map(drop)
}

/// A consumer that notes when records arrive.
#[derive(Debug)]
pub struct Stopwatch {
    reading: JoinHandle<anyhow::Result<Vec<f64>>>,
    give_up: Arc<AtomicBool>,
}

#[derive(Deserialize)]
struct Sent {
    number: u64,
    at: u64,
}

impl Stopwatch {
    /// Waits for the records of all rows.
    ///
    /// # Errors
    /// There is no topic.
    pub fn start(kafka: &Server, topic: &str, pace: Pace) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = kafka
            .client_config()
            .set("group.id", "bench")
            .set("enable.auto.commit", "false")
            .create()
            .context("making a consumer")?;
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let mut partitions = TopicPartitionList::new();
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            partitions.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
        consumer.assign(&partitions)?;
        let give_up = Arc::new(AtomicBool::new(false));
        let given_up = Arc::clone(&give_up);
        let reading = tokio::task::spawn_blocking(move || {
            let (mut millis, mut missing) = (Vec::new(), pace.rows());
            while missing > 0 && !given_up.load(Ordering::Relaxed) {
                let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
                let message = message.context("consuming")?;
                let sent: Sent = serde_json::from_slice(message.payload().unwrap_or_default())?;
                missing -= 1;
                if sent.number < pace.warm_up() {
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
                millis.push(micros()?.saturating_sub(sent.at) as f64 / 1e3);
            }
            Ok(millis)
        });
        Ok(Self { reading, give_up })
    }

    /// The milliseconds of the records, sorted.
    ///
    /// # Errors
    /// They do not all arrive within a minute.
    pub async fn millis(self) -> anyhow::Result<Vec<f64>> {
        let Self { mut reading, give_up } = self;
        let Ok(done) = tokio::time::timeout(PATIENCE, &mut reading).await else {
            give_up.store(true, Ordering::Relaxed);
            bail!("after {PATIENCE:?} only {} records have arrived", reading.await??.len());
        };
        let mut millis = done??;
        millis.sort_by(f64::total_cmp);
        Ok(millis)
    }
}

/// What is told of latencies: unit, and which of a hundred.
pub const PERCENTILES: [(&str, usize); 2] = [("ms p50", 50), ("ms p99", 99)];

/// The value that so many hundredths of the sorted values are below.
pub fn percentile(sorted: &[f64], hundredths: usize) -> f64 {
    let index = (sorted.len() * hundredths / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn micros() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(u64::try_from(since.as_micros())?)
}
