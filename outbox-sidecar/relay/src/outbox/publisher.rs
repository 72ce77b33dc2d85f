//! To the broker, and what it acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use outbox_sidecar_core::{
    failure::Class,
    parked::{Refusal, WaitingKeys},
    record::{self, Mapping},
};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureRecord, Producer as _},
};
use tokio::time::sleep;

use super::{
    producers::{Begun, Producers},
    row::OutboxRow,
    settlement::UnpublishedRow,
};
use crate::{
    error::{Error, chain, kafka_class},
    kafka::topics::TopicMaker,
};

/// Sends rows to Kafka; clones share the producers.
#[derive(Clone)]
pub struct Publisher {
    producers: Producers,
    mapping: Mapping,
    topics: Arc<TopicMaker>,
    mark: Option<(&'static str, String)>,
    /// Whether a row waits behind one of its key that was refused.
    in_order: bool,
}

/// Rows on their way to the broker.
#[derive(Default)]
pub struct InFlight {
    deliveries: FuturesUnordered<BoxFuture<'static, (UnpublishedRow, Result<(), KafkaError>)>>,
    /// Rows so far, sent or not.
    taken: usize,
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
    /// The buffer is full, or the transaction has failed; what was sent must be
    /// acknowledged first.
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
    /// The broker refused a batch or a transaction, for which any of its rows may
    /// be to blame. The publisher is spent, and the chunk is to be read again.
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
    pub fn new(producers: Producers, mapping: Mapping, topics: Arc<TopicMaker>) -> Self {
        Self { producers, mapping, topics, mark: None, in_order: true }
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

    /// Gives every record one more header; for rows that were published before, of
    /// which none waits behind another that is refused now.
    pub fn marked(mut self, name: &'static str, value: String) -> Self {
        self.mark = Some((name, value));
        self.in_order = false;
        self
    }

    /// Hands a row to the producer. A row that cannot be published, or that has to
    /// wait behind another of its key, is noted and not sent.
    ///
    /// # Errors
    /// The topic cannot be made, or the producer has failed for good.
    pub async fn send(&self, row: &OutboxRow, in_flight: &mut InFlight) -> Result<Taken, Error> {
        let place = in_flight.taken;
        in_flight.taken += 1;
        let unsent = |refused| UnpublishedRow { refused, ..unpublished(row, place) };
        if row.waits() || in_flight.waiting.has(row.key()) {
            in_flight.unsent.push(unsent(None));
            return Ok(Taken::Yes);
        }
        match self.enqueue(row, place, in_flight).await {
            Ok(Taken::Full) => {
                in_flight.taken = place;
                Ok(Taken::Full)
            }
            Ok(Taken::Yes) => Ok(Taken::Yes),
            Err(Refused::Poison(refusal, reason)) => {
                if refusal == Refusal::Mendable && self.in_order {
                    in_flight.waiting.park(row.key());
                }
                in_flight.unsent.push(unsent(Some((refusal, reason))));
                Ok(Taken::Yes)
            }
            Err(Refused::Error(error)) => Err(error),
        }
    }

    async fn enqueue(
        &self,
        row: &OutboxRow,
        place: usize,
        in_flight: &mut InFlight,
    ) -> Result<Taken, Refused> {
        let content = row.content();
        let content =
            // Nothing outside the row can mend that.
            self.mapping
                .record(&content)
                .map_err(|unfit| Refused::Poison(Refusal::Hopeless, unfit.to_string()))?;
        let topic = content.topic.as_ref();
        let found = if self.mapping.constant_topic() == Some(topic) {
            self.topics.ensure([topic]).await
        } else {
            self.topics.find(topic).await
        };
        found.map_err(|error| match error.class() {
            Class::Poison => Refused::Poison(Refusal::Mendable, error.to_string()),
            _ => Refused::Error(error),
        })?;
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(topic).headers(self.marking(headers(&content.headers)));
        if let Some(key) = content.key {
            record = record.key(key.as_bytes());
        }
        if let Some(value) = content.value.as_deref() {
            record = record.payload(value);
        }
        if let Some(timestamp) = content.timestamp {
            record = record.timestamp(timestamp);
        }
        let producer = self.producers.of(row.bucket(), &mut in_flight.begun)?;
        loop {
            match producer.send_result(record) {
                Ok(delivery) => {
                    in_flight.deliveries.push(settle(unpublished(row, place), delivery).boxed());
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
                // A transaction that has failed takes no more: what was sent says why.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::State), _))
                    if in_flight.sent > 0 =>
                {
                    return Ok(Taken::Full);
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
            let error = publisher.producers.explain(source, "publish rows");
            // A transaction fails as a whole, and the first error may be of a row that
            // stood behind the one to blame: only a row that fails alone tells.
            let unclear = publisher.producers.are_transactional() && self.sent > 1;
            if unclear && !matches!(error, Error::Fenced { .. }) {
                tracing::debug!(error = chain(&error), "a transaction failed");
                return Ok(Acknowledged::Refused);
            }
            return Err(error);
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

fn unpublished(row: &OutboxRow, place: usize) -> UnpublishedRow {
    UnpublishedRow {
        place,
        position: row.position(),
        bucket: row.bucket(),
        message_id: row.id().map(str::to_owned),
        key: row.key().map(str::to_owned),
        attempts: row.attempts(),
        refused: None,
    }
}

impl Publisher {
    fn marking(&self, headers: OwnedHeaders) -> OwnedHeaders {
        match &self.mark {
            Some((key, value)) => headers.insert(Header { key, value: Some(value) }),
            None => headers,
        }
    }
}

fn headers(headers: &[record::Header<'_>]) -> OwnedHeaders {
    let kafka = OwnedHeaders::new_with_capacity(headers.len());
    headers.iter().fold(kafka, |kafka, header| {
        kafka.insert(Header { key: &header.name, value: header.value.as_deref() })
    })
}
