//! Dead letters to their dead-letter topics.
//!
//! What died is noted in `outbox_sidecar.forward` by the statement that buries it,
//! so that a broker that is away holds up nothing, and no dead letter is left out.
//! It is published at least once.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use deadpool_postgres::{Client, Pool};
use outbox_sidecar_core::{config::Config, dead_letter::Side, failure::Class};
use rdkafka::{
    config::FromClientConfigAndContext as _,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};
use tokio::time::sleep;
use tokio_postgres::{Row, types::Type};
use tokio_util::sync::CancellationToken;

use super::{inbox, outbox};
use crate::{
    error::Error,
    kafka::{log::Context, producer_config, topics::TopicMaker},
    outbox::row::Bytes,
};

/// How often new ones are looked for.
const INTERVAL: Duration = Duration::from_secs(2);

/// How long one is left to the relay that took it, in seconds.
const CLAIM: f64 = 60.0;

/// Carries dead letters to their topics; it can be run again after an error.
pub struct Forwarder {
    config: Config,
    pool: Pool,
    topics: Arc<TopicMaker>,
}

/// A dead letter as it goes to Kafka.
pub(super) struct Record {
    pub(super) key: Option<Vec<u8>>,
    pub(super) payload: Option<Vec<u8>>,
    /// Its own, as far as they can be read.
    pub(super) headers: Vec<(String, Option<String>)>,
    pub(super) attempts: i32,
    pub(super) reason: String,
}

impl Record {
    /// A row of key, payload, headers as JSON, message id, type, attempts and reason.
    pub(super) fn of(row: &Row) -> Self {
        let own = row.get::<_, Option<&str>>(2).unwrap_or("{}");
        let mut headers = own_headers(own.as_bytes());
        headers.push(("id".to_owned(), row.get(3)));
        headers.push(("type".to_owned(), row.get(4)));
        Self {
            key: row.get(0),
            payload: row.get::<_, Option<Bytes<'_>>>(1).map(|bytes| bytes.0.to_vec()),
            headers,
            attempts: row.get(5),
            reason: row.get(6),
        }
    }
}

impl Forwarder {
    /// None if no outbox and no inbox has a dead-letter topic.
    pub fn new(config: &Config, pool: Pool, topics: Arc<TopicMaker>) -> Option<Self> {
        let forwarder = Self { config: config.clone(), pool, topics };
        (!forwarder.sources().is_empty()).then_some(forwarder)
    }

    /// Publishes dead letters until told to stop.
    ///
    /// # Errors
    /// Whatever made it impossible to go on. To be called again after a wait.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        let producer: FutureProducer<Context> = FutureProducer::from_config_and_context(
            &producer_config(&self.config.kafka)?,
            Context::default(),
        )
        .map_err(Error::kafka("set up the Kafka producer"))?;
        tokio::select! {
            // One that was claimed is taken up again when the claim has run out.
            () = stop.cancelled() => Ok(()),
            ended = self.repeat(&producer) => ended,
        }
    }

    async fn repeat(&self, producer: &FutureProducer<Context>) -> Result<(), Error> {
        loop {
            for (side, name, topic) in self.sources() {
                while let Some(id) = self.claim(side, name).await? {
                    self.forward(producer, side, name, topic, &id).await?;
                }
            }
            sleep(INTERVAL).await;
        }
    }

    fn sources(&self) -> Vec<(Side, &str, &str)> {
        let outboxes = self.config.outboxes.iter().filter_map(|outbox| {
            let topic = outbox.poison.dead_letter_topic.as_deref()?;
            Some((Side::Outbox, outbox.name.as_str(), topic))
        });
        let inboxes = self.config.stored_inboxes().filter_map(|inbox| {
            let topic = inbox.deliver.dead_letter_topic.as_deref()?;
            Some((Side::Inbox, inbox.name.as_str(), topic))
        });
        outboxes.chain(inboxes).collect()
    }

    async fn claim(&self, side: Side, name: &str) -> Result<Option<String>, Error> {
        let client = self.pool.get().await?;
        let rows = client
            .query_typed(
                // Materialised: as a part of a join it might be run again and take more.
                "WITH free AS MATERIALIZED (
                     SELECT id FROM outbox_sidecar.forward
                     WHERE side = $1 AND name = $2 AND claimed_until < clock_timestamp()
                     LIMIT 1 FOR UPDATE SKIP LOCKED)
                 UPDATE outbox_sidecar.forward AS f
                 SET claimed_until = clock_timestamp() + $3 * interval '1 second' FROM free
                 WHERE f.side = $1 AND f.name = $2 AND f.id = free.id RETURNING f.id",
                &[(&side.to_string(), Type::TEXT), (&name, Type::TEXT), (&CLAIM, Type::FLOAT8)],
            )
            .await
            .map_err(Error::database("take a dead letter for its topic"))?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    async fn forward(
        &self,
        producer: &FutureProducer<Context>,
        side: Side,
        name: &str,
        topic: &str,
        id: &str,
    ) -> Result<(), Error> {
        let record = {
            let client = self.pool.get().await?;
            self.record(&client, side, name, id).await?
        };
        // Settled by a person meanwhile, or deleted: there is nothing to tell of.
        if let Some(record) = record {
            self.topics.ensure([topic]).await?;
            let source = format!("{side}/{name}/{id}");
            if let Err(error) = publish(producer, topic, &source, &record).await {
                if error.class() != Class::Poison {
                    return Err(error);
                }
                tracing::error!(topic, source, %error, "the dead-letter topic does not take a dead letter");
            }
        }
        let client = self.pool.get().await?;
        client
            .execute_typed(
                "DELETE FROM outbox_sidecar.forward WHERE side = $1 AND name = $2 AND id = $3",
                &[(&side.to_string(), Type::TEXT), (&name, Type::TEXT), (&id, Type::TEXT)],
            )
            .await
            .map_err(Error::database("note that a dead letter is in its topic"))?;
        Ok(())
    }

    async fn record(
        &self,
        client: &Client,
        side: Side,
        name: &str,
        id: &str,
    ) -> Result<Option<Record>, Error> {
        match side {
            Side::Outbox => {
                let mut outboxes = self.config.outboxes.iter();
                match outboxes.find(|outbox| outbox.name == name) {
                    Some(config) => outbox::record(client, config, id).await,
                    None => Ok(None),
                }
            }
            Side::Inbox => match self.config.stored_inboxes().find(|inbox| inbox.name == name) {
                Some(config) => inbox::record(client, config, id).await,
                None => Ok(None),
            },
        }
    }
}

/// With its own key, value and headers, and headers that say why it died.
async fn publish(
    producer: &FutureProducer<Context>,
    topic: &str,
    source: &str,
    record: &Record,
) -> Result<(), Error> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len() + 3);
    for (name, value) in &record.headers {
        headers = headers.insert(Header { key: name, value: value.as_deref() });
    }
    let attempts = record.attempts.to_string();
    let why = [
        ("dead-letter-source", source),
        ("dead-letter-reason", record.reason.as_str()),
        ("dead-letter-attempts", attempts.as_str()),
    ];
    for (key, value) in why {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let mut message: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).headers(headers);
    if let Some(key) = &record.key {
        message = message.key(key);
    }
    if let Some(payload) = &record.payload {
        message = message.payload(payload);
    }
    match producer.send(message, Timeout::Never).await {
        Ok(_) => Ok(()),
        Err((source, _)) => Err(Error::kafka(format!("publish to {topic}"))(source)),
    }
}

/// The headers that a JSON object holds, none for null. What is no object has none:
/// that may be what a row died of.
fn own_headers(json: &[u8]) -> Vec<(String, Option<String>)> {
    let headers: Option<BTreeMap<String, serde_json::Value>> =
        serde_json::from_slice(json).unwrap_or_default();
    headers
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::Null => (name, None),
            serde_json::Value::String(text) => (name, Some(text)),
            other => (name, Some(other.to_string())),
        })
        .collect()
}
