//! To the broker, and what it acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use outbox_sidecar_core::{
    failure::Class,
    parked::{Refusal, WaitingKeys},
    route::TopicTemplate,
};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureRecord, Producer as _},
};
use tokio::time::sleep;

use super::{
    producers::{Begun, Producers},
    reader::OutboxRow,
    settlement::UnpublishedRow,
};
use crate::{
    error::{Error, kafka_class},
    kafka::topics::TopicMaker,
};

/// Sends rows to Kafka; clones share the producers.
#[derive(Clone)]
pub struct Publisher {
    producers: Producers,
    topic: TopicTemplate,
    topics: Arc<TopicMaker>,
}

/// Rows on their way to the broker.
#[derive(Default)]
pub struct InFlight {
    deliveries: FuturesUnordered<BoxFuture<'static, (UnpublishedRow, Result<(), KafkaError>)>>,
    sent: usize,
    /// Those that were not sent, and why.
    unsent: Vec<UnpublishedRow>,
    waiting: WaitingKeys,
    refused: Vec<UnpublishedRow>,
    failed: Option<KafkaError>,
    begun: Begun,
}

/// Whether the producer took a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is under way, or noted as one that is not sent.
    Yes,
    /// The buffer is full; what is in it must be acknowledged first.
    Full,
}

/// What became of a chunk.
#[derive(Debug)]
pub enum Acknowledged {
    /// Every row was acknowledged, but for these, which were not sent.
    All(Vec<UnpublishedRow>),
    /// The broker refused the only row that was sent; it is among these. The
    /// publisher is spent.
    Alone(Vec<UnpublishedRow>),
    /// The broker refused a batch, for which any of its rows may be to blame.
    /// The publisher is spent, and the chunk is to be read again.
    Refused,
}

enum Refused {
    Poison(Refusal, String),
    Error(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Publisher {
    /// Sends with these producers.
    pub fn new(producers: Producers, topic: TopicTemplate, topics: Arc<TopicMaker>) -> Self {
        Self { producers, topic, topics }
    }

    /// As [`Producers::are_of`].
    pub fn is_of(&self, held: &BTreeMap<i32, i64>) -> bool {
        self.producers.are_of(held)
    }

    /// As [`Producers::take_over`].
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn take_over(&mut self, held: &BTreeMap<i32, i64>) -> Result<(), Error> {
        self.producers.take_over(held).await
    }

    /// After a refusal: gives up what was sent and is not committed, so that the
    /// publisher can be used again.
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub async fn start_anew(&mut self, in_flight: InFlight) -> Result<(), Error> {
        self.producers.start_anew(in_flight.begun).await
    }

    /// Hands a row to the producer. A row that cannot be published, or that has to
    /// wait behind another of its key, is noted and not sent.
    ///
    /// # Errors
    /// The topic cannot be made, or the producer has failed for good.
    pub async fn send(&self, row: &OutboxRow, in_flight: &mut InFlight) -> Result<Taken, Error> {
        if row.waits() || in_flight.waiting.has(row.key()) {
            in_flight.unsent.push(unpublished(row, None));
            return Ok(Taken::Yes);
        }
        match self.enqueue(row, in_flight).await {
            Ok(taken) => Ok(taken),
            Err(Refused::Poison(refusal, reason)) => {
                if refusal == Refusal::Mendable {
                    in_flight.waiting.park(row.key());
                }
                in_flight.unsent.push(unpublished(row, Some((refusal, reason))));
                Ok(Taken::Yes)
            }
            Err(Refused::Error(error)) => Err(error),
        }
    }

    async fn enqueue(&self, row: &OutboxRow, in_flight: &mut InFlight) -> Result<Taken, Refused> {
        // First what can never be mended from outside.
        let headers = headers(row)?;
        let refused = |error: Error| match error.class() {
            Class::Poison => Refused::Poison(Refusal::Mendable, error.to_string()),
            _ => Refused::Error(error),
        };
        let rendered;
        let topic = match self.topic.constant() {
            Some(topic) => {
                self.topics.ensure([topic]).await.map_err(refused)?;
                topic
            }
            None => {
                rendered = self
                    .topic
                    .render(row.template_values())
                    .map_err(|error| Refused::Poison(Refusal::Hopeless, error.to_string()))?;
                self.topics.find(&rendered).await.map_err(refused)?;
                &rendered
            }
        };
        let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic).headers(headers);
        if let Some(key) = row.key() {
            record = record.key(key.as_bytes());
        }
        if let Some(payload) = row.payload() {
            record = record.payload(payload);
        }
        let producer = self.producers.of(row.bucket(), &mut in_flight.begun)?;
        loop {
            match producer.send_result(record) {
                Ok(delivery) => {
                    in_flight.deliveries.push(settle(unpublished(row, None), delivery).boxed());
                    in_flight.sent += 1;
                    return Ok(Taken::Yes);
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    if in_flight.sent > 0 {
                        return Ok(Taken::Full);
                    }
                    if producer.in_flight_count() == 0 {
                        return Err(Refused::Poison(
                            Refusal::Mendable,
                            "it is larger than the producer's whole buffer, queue.buffering.max.kbytes".into(),
                        ));
                    }
                    // Rows just acknowledged leave the buffer a moment later.
                    record = returned;
                    sleep(Duration::from_millis(5)).await;
                }
                Err((error, _)) if kafka_class(&error) == Class::Poison => {
                    return Err(Refused::Poison(Refusal::Mendable, error.to_string()));
                }
                Err((error, _)) => {
                    let action = format!("publish to {topic}");
                    return Err(Refused::Error(self.producers.explain(error, &action)));
                }
            }
        }
    }

    /// Whether no broker can be reached.
    pub fn brokers_down(&self) -> bool {
        self.producers.health().all_down()
    }

    /// Drops what is buffered or unacknowledged, so that it cannot be sent once
    /// another relay publishes these buckets.
    pub fn abandon(&self) {
        self.producers.abandon();
    }
}

impl InFlight {
    /// Waits until the broker has acknowledged or refused every row, and commits
    /// the transactions in which they were sent if it refused none.
    ///
    /// # Errors
    /// A row failed for a reason outside itself; the chunk is to be read again.
    pub async fn acknowledged(&mut self, publisher: &Publisher) -> Result<Acknowledged, Error> {
        while let Some((mut row, result)) = self.deliveries.next().await {
            let Err(error) = result else {
                publisher.producers.health().reached();
                continue;
            };
            if self.refused.is_empty() && self.failed.is_none() {
                // The rest is not to be sent any more; it fails at once.
                publisher.abandon();
            }
            if kafka_class(&error) == Class::Poison {
                row.refused = Some((Refusal::Mendable, error.to_string()));
                self.refused.push(row);
            } else {
                self.failed.get_or_insert(error);
            }
        }
        let refused = std::mem::take(&mut self.refused);
        let failed = self.failed.take();
        if !refused.is_empty() && self.sent > 1 {
            return Ok(Acknowledged::Refused);
        }
        if let Some(source) = failed {
            return Err(publisher.producers.explain(source, "publish rows"));
        }
        let mut unsent = std::mem::take(&mut self.unsent);
        if refused.is_empty() {
            publisher.producers.commit(std::mem::take(&mut self.begun)).await?;
            return Ok(Acknowledged::All(unsent));
        }
        unsent.extend(refused);
        Ok(Acknowledged::Alone(unsent))
    }
}

async fn settle(
    row: UnpublishedRow,
    delivery: DeliveryFuture,
) -> (UnpublishedRow, Result<(), KafkaError>) {
    let result = match delivery.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    };
    (row, result)
}

fn unpublished(row: &OutboxRow, refused: Option<(Refusal, String)>) -> UnpublishedRow {
    UnpublishedRow {
        position: row.position(),
        message_id: row.id().map(str::to_owned),
        key: row.key().map(str::to_owned),
        attempts: row.attempts(),
        refused,
    }
}

/// `id` and `type`, and what the row's own headers hold.
fn headers(row: &OutboxRow) -> Result<OwnedHeaders, Refused> {
    let mut headers = OwnedHeaders::new_with_capacity(4);
    if let Some(id) = row.id() {
        headers = headers.insert(Header { key: "id", value: Some(id) });
    }
    if let Some(event_type) = row.event_type() {
        headers = headers.insert(Header { key: "type", value: Some(event_type) });
    }
    let Some(json) = row.headers().filter(|json| *json != b"{}") else { return Ok(headers) };
    let more = json_headers(json).map_err(|error| {
        let reason = format!("the headers are not a JSON object: {error}");
        Refused::Poison(Refusal::Hopeless, reason)
    })?;
    for (name, value) in more {
        headers = headers.insert(Header { key: &name, value: value.as_deref() });
    }
    Ok(headers)
}

/// Headers as a JSON object holds them; null is none at all.
pub(crate) fn json_headers(
    json: &[u8],
) -> Result<Vec<(String, Option<String>)>, serde_json::Error> {
    let headers: Option<BTreeMap<String, serde_json::Value>> = serde_json::from_slice(json)?;
    Ok(headers
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| match value {
            serde_json::Value::Null => (name, None),
            serde_json::Value::String(text) => (name, Some(text)),
            other => (name, Some(other.to_string())),
        })
        .collect())
}
