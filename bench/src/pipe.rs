//! The ceiling: the same rows by binary `COPY` straight into a Kafka client, with no order between
//! replicas, no cursor and no second look at anything.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures::TryStreamExt as _;
use postgres_types::Type;
use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use test_support::kafka::Server;
use tokio_postgres::{Client, binary_copy::BinaryCopyOutStream};

const FLUSH: Duration = Duration::from_secs(60);

const COPY: &str = "COPY (SELECT aggregate_id, id::text, type, payload::text FROM outbox
                          ORDER BY bucket, position) TO STDOUT (FORMAT binary)";

/// Counts what the broker has acknowledged, and what it has not.
#[derive(Clone, Debug, Default)]
struct Counted {
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
}

impl ClientContext for Counted {}

impl ProducerContext for Counted {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        let counter = if result.is_ok() { &self.acknowledged } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Rows a second, from the statement to the last acknowledgement.
///
/// # Errors
/// The database or the broker fails.
pub async fn drain(client: &Client, kafka: &Server, topic: &str) -> anyhow::Result<f64> {
    let counted = Counted::default();
    let producer: ThreadedProducer<Counted> = kafka
        .client_config()
        .set("acks", "all")
        .set("compression.type", "zstd")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "500000")
        .set("partitioner", "murmur2_random")
        .create_with_context(counted.clone())
        .context("making a producer")?;
    let started = Instant::now();
    let copy = client.copy_out(COPY).await.context("starting COPY")?;
    let types = [Type::TEXT, Type::TEXT, Type::TEXT, Type::TEXT];
    let mut rows = pin!(BinaryCopyOutStream::new(copy, &types));
    let mut sent = 0_u64;
    while let Some(row) = rows.try_next().await.context("reading COPY")? {
        let (key, id, kind, payload): (&str, &str, &str, &str) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: "id", value: Some(id) })
            .insert(Header { key: "type", value: Some(kind) });
        let mut record = BaseRecord::to(topic).key(key).payload(payload).headers(headers);
        loop {
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err((error, _)) => return Err(error).context("handing a row to the Kafka client"),
            }
        }
        sent += 1;
    }
    let flushed = tokio::task::spawn_blocking(move || producer.flush(FLUSH)).await?;
    let took = started.elapsed();
    flushed.context("waiting for acknowledgements")?;
    let failed = counted.failed.load(Ordering::Relaxed);
    if failed > 0 || counted.acknowledged.load(Ordering::Relaxed) != sent {
        bail!("the broker did not take {failed} of {sent} rows");
    }
    #[expect(clippy::cast_precision_loss, reason = "row counts are far below 2^52")]
    Ok(sent as f64 / took.as_secs_f64())
}
