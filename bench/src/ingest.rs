//! Messages from Kafka into an inbox and on to an application, as fast as possible.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use kit::{
    Database, Metrics,
    inbox::{Application, Event, Refusal, router},
    server::Listener,
    settings::DatabaseSettings,
};
use outbox_sidecar_core::{ddl, sql_name::TableName};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
};
use serde::Deserialize;
use serde_json::json;
use test_support::{kafka::Server, postgres::TestDatabase};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    relay::{self, Relay},
    report::Report,
    stack::Stack,
    topic::Correctness,
};

const PARTITIONS: i32 = 6;
const KEYS: u32 = 5_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// Rows of a plain insert, and the sessions that insert.
const PLAIN_BATCH: u32 = 500;
const PLAIN_SESSIONS: u32 = 2;

const PLAIN: &str = "INSERT INTO plain (message_id, topic, partition, kafka_offset, key, type, payload, headers)
                     SELECT *, '{}' FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::int8[], $5::bytea[], $6::text[], $7::bytea[])";

/// What the application has applied.
#[derive(Clone, Debug, Default)]
struct Applied(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Of each key, the number that comes next.
    keys: HashMap<String, u64>,
    found: u64,
    correctness: Correctness,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

impl Applied {
    fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).found
    }

    fn correctness(&self, total: u64) -> Correctness {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Correctness { missing: total.saturating_sub(state.found), ..state.correctness }
    }
}

impl Application for Applied {
    /// Writes nothing of its own, so that what is measured is the way to it.
    async fn apply(&self, _: &Transaction<'_>, events: &[&Event]) -> Result<(), Refusal> {
        let mut numbers = Vec::with_capacity(events.len());
        for event in events {
            let key = event.subject.clone().unwrap_or_default();
            numbers.push((key, event.payload::<Numbered>()?.number));
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, number) in numbers {
            let next = state.keys.entry(key).or_default();
            let (expected, after) = (*next, number + 1);
            *next = after.max(expected);
            if number < expected {
                state.correctness.duplicates += 1;
            } else {
                state.found += 1;
                state.correctness.disorders += u64::from(number > expected);
            }
        }
        Ok(())
    }
}

/// Fills a topic, and in turns has as many rows inserted by plain SQL, and its messages applied.
///
/// # Errors
/// Something does not work at all; what is only wrong is in the report.
pub async fn run(
    stack: &Stack,
    total: u32,
    runs: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("ingest {}k", total / 1000);
    let topic = stack.kafka().topic("ingest", PARTITIONS).await?;
    println!("{name}: producing {total} messages");
    let (server, to) = (stack.kafka().clone(), topic.clone());
    tokio::task::spawn_blocking(move || produce(&server, &to, total)).await??;
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        let database = stack.database("ingest").await?;
        let client = database.connect().await?;
        let table = |name: &str| name.parse::<TableName>().map_err(anyhow::Error::msg);
        client.batch_execute(&ddl::inbox(&table("inbox")?)).await.context("making the inbox")?;
        client.batch_execute(&ddl::inbox(&table("plain")?)).await.context("making its like")?;
        let plain = plain(&database, total).await?;
        report.add(&name, "plain inserts of 500", "rows/s", plain);
        let (rate, found) = ingested(stack, &database, &topic, total).await?;
        report
            .add(&name, "until applied", "rows/s", rate)
            .beside("plain inserts of 500")
            .checked(found);
    }
    stack.kafka().delete_topic(&topic).await?;
    Ok(())
}

async fn ingested(
    stack: &Stack,
    database: &TestDatabase,
    topic: &str,
    total: u32,
) -> anyhow::Result<(f64, Correctness)> {
    let (applied, stop) = (Applied::default(), CancellationToken::new());
    let own = Database::new(&DatabaseSettings::for_url(database.url()))?;
    let application = router(applied.clone(), own, Metrics::new()?);
    let any_port = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    let listener = Listener::bind("application", any_port, application).await?;
    let url = format!("http://{}/inbox", listener.address());
    let serving = tokio::spawn(listener.serve(stop.clone(), Duration::from_secs(1)));
    let inbox = json!({
        "name": "ingest", "table": "inbox", "topics": [topic],
        "consumerGroup": Server::unique("ingest"), "deliver": { "url": url },
    });
    let config = relay::with(stack.kafka(), json!({ "inboxes": [inbox] }))?;
    let relay = Relay::start(&config, database.url()).await?;
    let rate = applied_all(&applied, total.into()).await;
    relay.stop().await?;
    stop.cancel();
    serving.await?;
    let mut found = applied.correctness(total.into());
    let client = database.connect().await?;
    let sql = "SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL";
    let marked: i64 = client.query_one(sql, &[]).await?.get(0);
    found.missing = found.missing.max(u64::from(total).saturating_sub(u64::try_from(marked)?));
    Ok((rate?, found))
}

/// Waits until all are applied; returns how many a second, from the first that were seen.
async fn applied_all(applied: &Applied, total: u64) -> anyhow::Result<f64> {
    let (mut first, mut last, mut moved) = (None, 0, Instant::now());
    loop {
        let (count, now) = (applied.count(), Instant::now());
        if count > last {
            (last, moved) = (count, now);
        } else if now - moved > PATIENCE {
            bail!("no progress after {count} of {total} messages");
        }
        if count > 0 && first.is_none() {
            first = Some((count, now));
        }
        if let Some((before, from)) = first.filter(|_| count >= total) {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            return Ok((count - before) as f64 / (now - from).as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Blocks until all are acknowledged.
fn produce(kafka: &Server, topic: &str, total: u32) -> anyhow::Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = kafka
        .client_config()
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("linger.ms", "5")
        .set("partitioner", "murmur2_random")
        .create()
        .context("making a producer")?;
    for number in 0..total {
        let (id, key) = (Uuid::now_v7().to_string(), format!("key-{}", number % KEYS));
        let payload = payload(number);
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: "id", value: Some(&id) })
            .insert(Header { key: "type", value: Some("bench.happened") });
        let mut record = BaseRecord::to(topic).key(&key).payload(&payload).headers(headers);
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error).context("producing");
            }
            record = back;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(PATIENCE).context("waiting for acknowledgements")
}

fn payload(number: u32) -> String {
    json!({ "number": number / KEYS, "filler": "x".repeat(170) }).to_string()
}

/// Rows a second by plain inserts of the same values.
async fn plain(database: &TestDatabase, total: u32) -> anyhow::Result<f64> {
    let mut sessions = Vec::new();
    for session in 0..PLAIN_SESSIONS {
        let client = database.connect().await?;
        let statement = client.prepare(PLAIN).await.context("preparing the plain insert")?;
        sessions.push((session, client, statement));
    }
    let started = Instant::now();
    let inserting = sessions.iter().map(|(session, client, statement)| async move {
        let mut next = session * PLAIN_BATCH;
        while next < total {
            let numbers: Vec<u32> = (next..total.min(next + PLAIN_BATCH)).collect();
            let ids: Vec<Uuid> = numbers.iter().map(|_| Uuid::now_v7()).collect();
            let topics = vec!["ingest"; numbers.len()];
            let partitions = vec![0_i32; numbers.len()];
            let offsets: Vec<i64> = numbers.iter().map(|number| i64::from(*number)).collect();
            let keys: Vec<Vec<u8>> =
                numbers.iter().map(|number| format!("key-{}", number % KEYS).into()).collect();
            let types = vec!["bench.happened"; numbers.len()];
            let payloads: Vec<Vec<u8>> =
                numbers.iter().map(|number| payload(*number).into()).collect();
            client
                .execute(
                    statement,
                    &[&ids, &topics, &partitions, &offsets, &keys, &types, &payloads],
                )
                .await
                .context("inserting by plain SQL")?;
            next += PLAIN_BATCH * PLAIN_SESSIONS;
        }
        anyhow::Ok(())
    });
    try_join_all(inserting).await?;
    Ok(f64::from(total) / started.elapsed().as_secs_f64())
}
