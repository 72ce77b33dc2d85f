//! Messages from Kafka into an inbox and on to an application, as fast as possible.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use kit::{
    Database, Metrics,
    inbox::{Application, Event, Refusal, router},
    server::Listener,
    settings::DatabaseSettings,
};
use outbox_sidecar_core::{ddl, sql_name::TableName};
use serde::Deserialize;
use serde_json::json;
use test_support::{kafka::Server, postgres::TestDatabase};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    producer::{Message, Producer},
    progress,
    relay::{self, Relay},
    report::Report,
    rows::KEYS,
    stack::Stack,
    topic::Correctness,
};

const PARTITIONS: i32 = 6;
const KIND: &str = "bench.happened";

/// What the sidecar is compared with.
const BESIDE: &str = "plain inserts of 500";

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
    produce(stack.kafka(), &topic, total).await?;
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        let database = stack.database("ingest").await?;
        let client = database.connect().await?;
        let table = |name: &str| name.parse::<TableName>().map_err(anyhow::Error::msg);
        client.batch_execute(&ddl::inbox(&table("inbox")?)).await.context("making the inbox")?;
        client.batch_execute(&ddl::inbox(&table("plain")?)).await.context("making its like")?;
        let plain = plain(&database, total).await?;
        report.add(&name, BESIDE, "rows/s", plain);
        let (rate, found) = ingested(stack, &database, &topic, total).await?;
        report.add(&name, "until applied", "rows/s", rate).beside(BESIDE).checked(found);
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
    let rate = progress::rate(total.into(), async || Ok(applied.count())).await;
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

/// Waits until all are acknowledged.
async fn produce(kafka: &Server, topic: &str, total: u32) -> anyhow::Result<()> {
    let mut producer = Producer::new(kafka)?;
    for number in 0..total {
        let (id, key, payload) = (Uuid::now_v7().to_string(), key(number), payload(number));
        let message = Message { key: &key, id: &id, kind: KIND, payload: &payload };
        producer.send(topic, message).await?;
    }
    producer.finish().await.map(drop)
}

fn key(number: u32) -> String {
    format!("key-{}", number % KEYS)
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
            let keys: Vec<Vec<u8>> = numbers.iter().map(|number| key(*number).into()).collect();
            let types = vec![KIND; numbers.len()];
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
