//! What the broker has said of the rows of a chunk: counted, not remembered row by
//! row, as nothing is done about a single row as long as there is another.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use outbox_sidecar_core::failure::Class;
use rdkafka::{
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryResult, ProducerContext},
};
use tokio::sync::Notify;

use crate::{error::kafka_class, kafka::log::Context};

/// The answers to a chunk's rows. The Kafka client has it as long as it has a row.
#[derive(Debug, Default)]
pub struct Tally {
    unanswered: AtomicUsize,
    failures: Mutex<Failures>,
    failed: AtomicUsize,
    moved: Notify,
}

/// The first failure of each kind.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    /// The broker takes a row or its batch never.
    pub refusal: Option<KafkaError>,
    /// Something outside the rows.
    pub other: Option<KafkaError>,
    /// The rest was given up for another's failure.
    pub purged: Option<KafkaError>,
}

impl Failures {
    /// Whether there is one that is not only another's.
    pub fn are_its_own(&self) -> bool {
        self.refusal.is_some() || self.other.is_some()
    }
}

impl Tally {
    /// One more row is on its way.
    pub fn sent(&self) {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// It could not be sent, or is answered.
    pub fn answered(&self) {
        if self.unanswered.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.moved.notify_one();
        }
    }

    /// Whether no row is without an answer.
    pub fn is_complete(&self) -> bool {
        self.unanswered.load(Ordering::Acquire) == 0
    }

    /// Whether a row failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) > 0
    }

    /// Why rows failed.
    pub fn failures(&self) -> Failures {
        self.lock().clone()
    }

    /// Waits until no row is without an answer.
    pub async fn complete(&self) {
        while !self.is_complete() {
            self.moved.notified().await;
        }
    }

    /// The same, or until the first has failed.
    pub async fn complete_or_failed(&self) {
        while !self.is_complete() && !self.has_failed() {
            self.moved.notified().await;
        }
    }

    fn failed(&self, error: &KafkaError) {
        let mut failures = self.lock();
        let first = match error.rdkafka_error_code() {
            _ if kafka_class(error) == Class::Poison => &mut failures.refusal,
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
                &mut failures.purged
            }
            _ => &mut failures.other,
        };
        first.get_or_insert_with(|| error.clone());
        drop(failures);
        if self.failed.fetch_add(1, Ordering::AcqRel) == 0 {
            self.moved.notify_one();
        }
    }

    /// What a panicking thread left is still good.
    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Tally>;

    fn delivery(&self, result: &DeliveryResult<'_>, tally: Arc<Tally>) {
        if let Err((error, _)) = result {
            tally.failed(error);
        }
        tally.answered();
    }
}
