//! A Kafka client with nothing around it, which counts what the broker has acknowledged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use rdkafka::{
    ClientContext,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
};
use test_support::kafka::Server;

/// As the relay's, by default.
pub const COMPRESSION: &str = "lz4";

const FLUSH: Duration = Duration::from_secs(60);

/// Sends records as fast as the broker takes them.
pub struct Producer {
    client: ThreadedProducer<Counted>,
    counted: Counted,
    sent: u64,
}

/// A record of the benchmark, with the headers that a relay gives it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The Kafka key.
    pub key: &'a str,
    /// The header `id`.
    pub id: &'a str,
    /// The header `type`.
    pub kind: &'a str,
    /// The value.
    pub payload: &'a str,
}

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

impl Producer {
    /// Connects lazily.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(kafka: &Server) -> anyhow::Result<Self> {
        let counted = Counted::default();
        let client = kafka
            .client_config()
            .set("acks", "all")
            .set("compression.type", COMPRESSION)
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", "500000")
            .set("partitioner", "murmur2_random")
            .create_with_context(counted.clone())
            .context("making a producer")?;
        Ok(Self { client, counted, sent: 0 })
    }

    /// Hands a record over, waiting while the client has no room.
    ///
    /// # Errors
    /// The client does not take it.
    pub async fn send(&mut self, topic: &str, message: Message<'_>) -> anyhow::Result<()> {
        let Message { key, id, kind, payload } = message;
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: "id", value: Some(id) })
            .insert(Header { key: "type", value: Some(kind) });
        let mut record = BaseRecord::to(topic).key(key).payload(payload).headers(headers);
        while let Err((error, back)) = self.client.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error).context("handing a record to the Kafka client");
            }
            record = back;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.sent += 1;
        Ok(())
    }

    /// Waits for the acknowledgements; returns how many records there were.
    ///
    /// # Errors
    /// The broker did not take all.
    pub async fn finish(self) -> anyhow::Result<u64> {
        let Self { client, counted, sent } = self;
        let flushed = tokio::task::spawn_blocking(move || client.flush(FLUSH)).await?;
        flushed.context("waiting for acknowledgements")?;
        let failed = counted.failed.load(Ordering::Relaxed);
        if failed > 0 || counted.acknowledged.load(Ordering::Relaxed) != sent {
            bail!("the broker did not take {failed} of {sent} records");
        }
        Ok(sent)
    }
}
