//! Reads back what was committed, published and applied.

use std::{collections::HashSet, time::Duration};

use anyhow::Context as _;
use rdkafka::{
    Message as _, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaError,
    message::{BorrowedMessage, Headers as _},
};
use serde::Deserialize;
use test_support::kafka::Server;
use tokio::time::Instant;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    audit::{Entry, Evidence, Fate, Record},
    world::{PARTITIONS, TOPIC, World},
    writer::fate_text,
};

/// How long the broker may give nothing while the topic is read back.
const READ_PATIENCE: Duration = Duration::from_secs(60);

/// How many rows are in the ledger, and how many of them have arrived where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// Committed.
    pub due: i64,
    /// Applied, or in one of the dead letters.
    pub arrived: i64,
}

/// Counts what has arrived so far.
///
/// # Errors
/// The database is away, or the relays have not made their tables yet.
pub async fn arrivals(client: &Client) -> Result<Arrivals, tokio_postgres::Error> {
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM ledger),
                    (SELECT count(DISTINCT message_id) FROM effect)
                  + (SELECT count(*) FROM outbox_sidecar.dead_letter)
                  + (SELECT count(*) FROM inbox WHERE dead_at IS NOT NULL)",
            &[],
        )
        .await?;
    Ok(Arrivals { due: row.get(0), arrived: row.get(1) })
}

/// Reads everything; nothing may be written any more.
///
/// # Errors
/// The database or the broker is away, or holds what nobody can have written.
pub async fn collect(world: &World) -> anyhow::Result<Evidence> {
    let client = world.database.connect().await?;
    let unpublished = ids(
        &client,
        "SELECT message_id::uuid FROM outbox_sidecar.dead_letter WHERE message_id IS NOT NULL",
    );
    let mut evidence = Evidence {
        ledger: ledger(&client).await?,
        published: published(world.broker.server()).await?,
        applied: ids(&client, "SELECT message_id FROM effect ORDER BY number").await?,
        unpublished: unpublished.await?,
        rejected: ids(&client, "SELECT message_id FROM inbox WHERE dead_at IS NOT NULL").await?,
        ended: world.noted(),
    };
    evidence.published.sort_by_key(|record| (record.partition, record.offset));
    Ok(evidence)
}

async fn ids(client: &Client, query: &str) -> anyhow::Result<Vec<Uuid>> {
    let rows = client.query(query, &[]).await.with_context(|| format!("cannot run {query}"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn ledger(client: &Client) -> anyhow::Result<Vec<Entry>> {
    let rows = client
        .query("SELECT id, key, number, fate FROM ledger", &[])
        .await
        .context("cannot read the ledger")?;
    rows.iter()
        .map(|row| {
            let fate: &str = row.get(3);
            let known = [Fate::Applied, Fate::Unpublishable, Fate::Rejected];
            let fate = known
                .into_iter()
                .find(|known| fate_text(*known) == fate)
                .with_context(|| format!("the ledger has the fate `{fate}`"))?;
            Ok(Entry { id: row.get(0), key: row.get(1), number: row.get(2), fate })
        })
        .collect()
}

/// The whole topic, as a consumer sees it that reads what is committed only.
async fn published(kafka: &Server) -> anyhow::Result<Vec<Record>> {
    let consumer: StreamConsumer = kafka
        .client_config()
        .set("group.id", Server::unique("audit"))
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .create()
        .context("cannot set up a consumer")?;
    let mut from_start = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        from_start.add_partition_offset(TOPIC, partition, Offset::Beginning)?;
    }
    consumer.assign(&from_start).context("cannot read the topic")?;
    let mut waiting: HashSet<i32> = (0..PARTITIONS).collect();
    let mut records = Vec::new();
    let mut end = Instant::now() + READ_PATIENCE;
    while !waiting.is_empty() {
        let next = tokio::time::timeout_at(end, consumer.recv()).await;
        match next.context("the broker gives nothing while the topic is read back")? {
            Ok(message) => records.push(record(&message)?),
            Err(KafkaError::PartitionEOF(partition)) => {
                waiting.remove(&partition);
            }
            // The client connects again by itself.
            Err(_) => continue,
        }
        end = Instant::now() + READ_PATIENCE;
    }
    Ok(records)
}

#[derive(Deserialize)]
struct Payload {
    number: i64,
}

fn record(message: &BorrowedMessage<'_>) -> anyhow::Result<Record> {
    let (partition, offset) = (message.partition(), message.offset());
    let at = || format!("the record at {TOPIC}/{partition}/{offset}");
    let id = message
        .headers()
        .and_then(|headers| headers.iter().find(|header| header.key == "id")?.value)
        .and_then(|id| std::str::from_utf8(id).ok()?.parse().ok())
        .with_context(|| format!("{} has no id", at()))?;
    let key = std::str::from_utf8(message.key().unwrap_or_default()).with_context(at)?.to_owned();
    let payload: Payload =
        serde_json::from_slice(message.payload().unwrap_or_default()).with_context(at)?;
    Ok(Record { id, key, number: payload.number, partition, offset })
}
