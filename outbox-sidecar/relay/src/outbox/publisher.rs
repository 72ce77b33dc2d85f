//! To the broker, and what it acknowledged.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use outbox_sidecar_core::{
    failure::Class,
    parked::{Refusal, WaitingKeys},
    record::{self, Mapping},
};
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _},
};
use tokio::time::sleep;

use super::{
    producers::{Begun, Producers, Turn},
    row::OutboxRow,
    settlement::UnpublishedRow,
    tally::{Failures, Tally},
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
    tally: Arc<Tally>,
    /// Others are under way that were sent before.
    behind_others: bool,
    /// Rows so far, sent or not.
    taken: usize,
    sent: usize,
    /// The row that was sent, as long as it is the only one.
    alone: Option<UnpublishedRow>,
    /// Those that were not sent, and why.
    unsent: Vec<UnpublishedRow>,
    waiting: WaitingKeys,
    /// Which of a bucket's producers sends them, if they are transactional.
    turn: Turn,
    begun: Begun,
    /// Rows of the chunk were not even handed over.
    incomplete: bool,
    /// The topic that was found to exist for the row before.
    topic: Option<String>,
}

/// Whether the producer took a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is under way, or noted as one that is not sent.
    Yes,
    /// The buffer is full; what was sent must be acknowledged first.
    Full,
    /// The producer or the transaction has failed; what was sent says why.
    Spent,
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

    /// As [`Producers::start_anew`].
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub fn start_anew(&mut self, begun: &Begun) -> Result<(), Error> {
        self.producers.start_anew(begun)
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
            Ok(Taken::Yes) => Ok(Taken::Yes),
            Ok(not_taken) => {
                in_flight.taken = place;
                Ok(not_taken)
            }
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
        if in_flight.topic.as_deref() != Some(topic) {
            self.find(topic).await?;
            in_flight.topic = Some(topic.to_owned());
        }
        let mut record: BaseRecord<'_, [u8], [u8], Arc<Tally>> =
            BaseRecord::with_opaque_to(topic, Arc::clone(&in_flight.tally))
                .headers(self.marking(headers(&content.headers)));
        if let Some(key) = content.key {
            record = record.key(key.as_bytes());
        }
        if let Some(value) = content.value.as_deref() {
            record = record.payload(value);
        }
        if let Some(timestamp) = content.timestamp {
            record = record.timestamp(timestamp);
        }
        let producer = self.producers.of(row.bucket(), in_flight.turn, &mut in_flight.begun)?;
        loop {
            // Before, as the answer may come before the call returns.
            in_flight.tally.sent();
            let Err((error, returned)) = producer.send(record) else {
                in_flight.alone = (in_flight.sent == 0).then(|| unpublished(row, place));
                in_flight.sent += 1;
                return Ok(Taken::Yes);
            };
            in_flight.tally.answered();
            let others = in_flight.sent > 0 || in_flight.behind_others;
            match error {
                // What was sent has to be acknowledged first.
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) if others => {
                    return Ok(Taken::Full);
                }
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => {
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
                error if kafka_class(&error) == Class::Poison => {
                    return Err(Refused::Poison(Refusal::Mendable, error.to_string()));
                }
                // A producer or a transaction that has failed takes no more: what was sent says why.
                KafkaError::MessageProduction(
                    RDKafkaErrorCode::State | RDKafkaErrorCode::Fatal,
                ) if others => {
                    return Ok(Taken::Full);
                }
                error => {
                    let action = format!("publish to {topic}");
                    return Err(Refused::Error(self.producers.explain(error, &action)));
                }
            }
        }
    }

    /// Makes sure that a topic exists.
    async fn find(&self, topic: &str) -> Result<(), Refused> {
        let found = if self.mapping.constant_topic() == Some(topic) {
            self.topics.ensure([topic]).await
        } else {
            self.topics.find(topic).await
        };
        found.map_err(|error| match error.class() {
            Class::Poison => Refused::Poison(Refusal::Mendable, error.to_string()),
            _ => Refused::Error(error),
        })
    }

    /// As [`Producers::commit`].
    ///
    /// # Errors
    /// Another relay has taken a bucket over, or the broker has given the
    /// transaction up.
    pub async fn commit(&self, begun: Begun) -> Result<(), Error> {
        self.producers.commit(begun).await
    }

    /// Whether no broker can be reached.
    pub fn brokers_down(&self) -> bool {
        self.producers.health().all_down()
    }

    /// A broker has answered.
    pub fn reached(&self) {
        self.producers.health().reached();
    }

    /// As [`Producers::are_transactional`].
    pub fn is_transactional(&self) -> bool {
        self.producers.are_transactional()
    }

    /// Drops what is buffered or unacknowledged, so that it cannot be sent once
    /// another relay publishes these buckets.
    pub fn abandon(&self) {
        self.producers.abandon();
    }
}

impl InFlight {
    /// Rows that go behind others which are still under way: when the producer takes no
    /// more, it is for those to say why.
    pub fn behind_others() -> Self {
        Self { behind_others: true, ..Self::default() }
    }

    /// Rows that are sent in transactions of the producers whose turn it is.
    pub fn in_turn(turn: Turn) -> Self {
        Self { turn, ..Self::default() }
    }

    /// Whether some of the rows were not sent.
    pub fn lacks_rows(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Gives up the rest of a chunk, and so the chunk.
    pub fn give_up_rest(&mut self) {
        self.incomplete = true;
    }

    /// Whether the chunk cannot go through.
    pub fn has_failed(&self) -> bool {
        self.incomplete || self.tally.has_failed()
    }

    /// The answers so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The transactions in which the rows were sent, to be committed.
    pub fn take_begun(&mut self) -> Begun {
        std::mem::take(&mut self.begun)
    }

    /// Waits until the broker has acknowledged or refused every row, and commits
    /// the transactions in which they were sent if it refused none.
    ///
    /// # Errors
    /// A row failed for a reason outside itself; the chunk is to be read again.
    pub async fn acknowledged(&mut self, publisher: &Publisher) -> Result<Acknowledged, Error> {
        self.tally.complete_or_failed().await;
        if self.has_failed() {
            // The rest is not to be sent any more; it fails at once.
            publisher.abandon();
            self.tally.complete().await;
        } else {
            publisher.producers.health().reached();
        }
        let verdict = self.verdict(publisher);
        if matches!(verdict, Ok(Acknowledged::All(_))) {
            publisher.commit(self.take_begun()).await?;
        }
        verdict
    }

    /// What became of the rows, when all are answered; what was begun is still to be
    /// committed.
    ///
    /// # Errors
    /// As of [`acknowledged`](Self::acknowledged).
    pub fn verdict(&mut self, publisher: &Publisher) -> Result<Acknowledged, Error> {
        let Failures { refusal, other, purged } = self.tally.failures();
        let mut unsent = std::mem::take(&mut self.unsent);
        if let Some(error) = refusal {
            let Some(mut alone) = self.alone.take().filter(|_| self.sent == 1 && !self.incomplete)
            else {
                return Ok(Acknowledged::Refused);
            };
            alone.refused = Some((Refusal::Mendable, error.to_string()));
            unsent.push(alone);
            return Ok(Acknowledged::Alone(unsent));
        }
        let Some(source) = other.or(purged) else {
            return Ok(if self.incomplete {
                Acknowledged::Refused
            } else {
                Acknowledged::All(unsent)
            });
        };
        let error = publisher.producers.explain(source, "publish rows");
        // A transaction fails as a whole, and the first error may be of a row that
        // stood behind the one to blame: only a row that fails alone tells.
        let unclear = publisher.producers.are_transactional() && (self.sent > 1 || self.incomplete);
        if unclear && !matches!(error, Error::Fenced { .. }) {
            tracing::debug!(error = chain(&error), "a transaction failed");
            return Ok(Acknowledged::Refused);
        }
        Err(error)
    }
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
