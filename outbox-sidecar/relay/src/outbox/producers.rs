//! The Kafka producers of an outbox: one for all buckets, or, with `delivery:
//! transactional`, two for each.
//!
//! The producers of a bucket have names that every relay gives them, so that the
//! broker knows them for the same: it takes nothing more from those before when
//! the next have introduced themselves. What a relay publishes of a chunk, it
//! publishes in a transaction of each bucket, which a relay that has been replaced
//! can no longer commit. A bucket's two producers take turns, so that one sends
//! while the broker still commits what the other has sent.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use futures::future::{try_join, try_join_all};
use outbox_sidecar_core::config;
use rdkafka::{
    ClientConfig,
    error::{KafkaError, KafkaResult, RDKafkaErrorCode},
    producer::{Producer as _, PurgeConfig},
};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    error::Error,
    kafka::{
        log::{BrokerHealth, Context},
        polled_producer::PolledProducer,
        producer_config,
    },
};

/// A call that waits for the broker blocks a thread, and a stop waits for the
/// thread; so it is made anew this often until there is an answer.
const SLICE: Duration = Duration::from_secs(1);

/// Before a call is made anew.
const PAUSE: Duration = Duration::from_millis(20);

/// A producer of the sidecar's.
pub type Producer = Arc<PolledProducer>;

/// The producers of an outbox; clones share them.
#[derive(Clone)]
pub struct Producers {
    config: ClientConfig,
    context: Context,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// For all buckets.
    One(Producer),
    /// By bucket, made when it is taken over.
    PerBucket { name: String, ready: BTreeMap<i32, Ready> },
}

/// Producers that have introduced themselves.
#[derive(Clone)]
struct Ready {
    /// The bucket's, at that time.
    epoch: i64,
    first: Producer,
    second: Producer,
}

impl Ready {
    fn both(&self) -> [&Producer; 2] {
        [&self.first, &self.second]
    }
}

/// Which of a bucket's two producers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// The one whose name ends with the bucket's number.
    #[default]
    First,
    /// The one whose name has `-2` behind it.
    Second,
}

impl Turn {
    /// Whose turn is next.
    pub fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Transactions that have begun, by bucket.
pub type Begun = BTreeMap<i32, Producer>;

impl Producers {
    /// One idempotent producer. Connects lazily.
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub fn idempotent(kafka: &config::Kafka) -> Result<Self, Error> {
        let (mut config, context) = (producer_config(kafka)?, Context::default());
        // A broker that does not know a producer yet takes its second request without the
        // first: docs/adr/0023.
        config.set("max.in.flight.requests.per.connection", "1");
        let producer = create(&config, &context)?;
        Ok(Self { config, context, kind: Kind::One(producer) })
    }

    /// Two transactional producers for each of so many buckets, with this name and
    /// the bucket's number. None is made yet.
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub fn transactional(kafka: &config::Kafka, name: String, buckets: u16) -> Result<Self, Error> {
        let mut config = producer_config(kafka)?;
        let number = |key| config.get(key).and_then(|value| value.parse::<u64>().ok());
        let largest = number("message.max.bytes").unwrap_or(1_000_000).div_ceil(1024);
        let all = number("queue.buffering.max.kbytes").unwrap_or(32_768);
        // Together they buffer no more than the one would, as one of two has nothing to send,
        // but each the largest message.
        let each = (all / u64::from(buckets)).max(2 * largest);
        config.set("queue.buffering.max.kbytes", each.to_string());
        // A batch that is refused ends its transaction, so there is no gap to guard against.
        config.set("enable.gapless.guarantee", "false");
        let kind = Kind::PerBucket { name, ready: BTreeMap::new() };
        Ok(Self { config, context: Context::default(), kind })
    }

    /// Whether the brokers can be reached.
    pub fn health(&self) -> &BrokerHealth {
        &self.context.health
    }

    /// Whether what is sent of a chunk is in one transaction for each bucket.
    pub fn are_transactional(&self) -> bool {
        matches!(self.kind, Kind::PerBucket { .. })
    }

    /// Whether there are producers for each of these buckets, by epoch, and no other.
    pub fn are_of(&self, held: &BTreeMap<i32, i64>) -> bool {
        match &self.kind {
            Kind::One(_) => true,
            Kind::PerBucket { ready, .. } => {
                ready.iter().map(|(bucket, ready)| (bucket, &ready.epoch)).eq(held)
            }
        }
    }

    /// Introduces the producers of each of these buckets, by epoch, that has none of
    /// the epoch yet: from then on the broker takes nothing from a relay that had
    /// the bucket before. Those of other buckets are dropped.
    ///
    /// Waits for the broker for as long as it takes.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn take_over(&mut self, held: &BTreeMap<i32, i64>) -> Result<(), Error> {
        let Kind::PerBucket { name, ready } = &mut self.kind else { return Ok(()) };
        ready.retain(|bucket, ready| held.get(bucket) == Some(&ready.epoch));
        let missing = held.iter().filter(|(bucket, _)| !ready.contains_key(bucket));
        let introductions: Vec<_> = missing
            .map(|(&bucket, &epoch)| {
                let introduced = |turn| {
                    introduce(&self.config, &self.context, transactional_id(name, bucket, turn))
                };
                let both = try_join(introduced(Turn::First), introduced(Turn::Second));
                async move {
                    let (first, second) = both.await?;
                    Ok::<_, Error>((bucket, Ready { epoch, first, second }))
                }
            })
            .collect();
        ready.extend(try_join_all(introductions).await?);
        Ok(())
    }

    /// The producer of a bucket's rows. With transactions, it is the one whose turn it is,
    /// and in one that is noted in `begun`; what it had begun before must be committed.
    ///
    /// # Errors
    /// Another relay has taken the bucket over.
    pub fn of(&self, bucket: i32, turn: Turn, begun: &mut Begun) -> Result<&Producer, Error> {
        let (name, ready) = match &self.kind {
            Kind::One(producer) => return Ok(producer),
            Kind::PerBucket { name, ready } => (name, ready),
        };
        let id = || transactional_id(name, bucket, turn);
        let ready = ready.get(&bucket).ok_or_else(|| Error::Fenced { producer: id() })?;
        let producer = match turn {
            Turn::First => &ready.first,
            Turn::Second => &ready.second,
        };
        if let Entry::Vacant(none) = begun.entry(bucket) {
            producer
                .begin_transaction()
                .map_err(|error| refused(error, &id(), "begin a transaction of"))?;
            none.insert(producer.clone());
        }
        Ok(producer)
    }

    /// Commits what has begun; what was sent must be acknowledged.
    ///
    /// # Errors
    /// Another relay has taken a bucket over, or the broker has given the
    /// transaction up. Some may be committed.
    pub async fn commit(&self, begun: Begun) -> Result<(), Error> {
        let commits = begun.into_iter().map(|(bucket, producer)| {
            let name = self.name(bucket);
            async move {
                call(&producer, |producer| producer.commit_transaction(SLICE))
                    .await
                    .map_err(|error| refused(error, &name, "commit a transaction of"))
            }
        });
        try_join_all(commits).await.map(drop)
    }

    /// An error of sending, or that another relay was the reason.
    pub fn explain(&self, error: KafkaError, action: &str) -> Error {
        if let Kind::PerBucket { name, ready } = &self.kind {
            let fenced = |producer: &Producer| {
                producer.client().fatal_error().is_some_and(|(code, _)| is_fenced(code))
            };
            if let Some((bucket, _)) =
                ready.iter().find(|(_, ready)| ready.both().into_iter().any(fenced))
            {
                return Error::Fenced { producer: format!("{name}-{bucket}") };
            }
        }
        Error::Kafka { action: action.to_owned(), source: error }
    }

    /// After a refusal: gives up what was sent and is not committed, and the producers of
    /// these transactions. Transactional ones have to be [taken over](Self::take_over) anew.
    ///
    /// A producer whose transaction is aborted behind a refused batch goes on with a gap in
    /// its sequence, and the broker takes nothing more from it. One that introduces itself
    /// has a new sequence, and ends the transaction of the one before.
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub fn start_anew(&mut self, begun: &Begun) -> Result<(), Error> {
        match &mut self.kind {
            Kind::One(producer) => *producer = create(&self.config, &self.context)?,
            Kind::PerBucket { ready, .. } => ready.retain(|bucket, _| !begun.contains_key(bucket)),
        }
        Ok(())
    }

    /// Drops what is buffered or unacknowledged, so that it cannot be sent once
    /// another relay publishes these buckets.
    pub fn abandon(&self) {
        let purge = |producer: &Producer| producer.purge(PurgeConfig::default().queue().inflight());
        match &self.kind {
            Kind::One(producer) => purge(producer),
            Kind::PerBucket { ready, .. } => {
                ready.values().flat_map(Ready::both).for_each(purge);
            }
        }
    }

    fn name(&self, bucket: i32) -> String {
        match &self.kind {
            Kind::One(_) => String::new(),
            Kind::PerBucket { name, .. } => format!("{name}-{bucket}"),
        }
    }
}

/// The same whichever relay asks.
fn transactional_id(name: &str, bucket: i32, turn: Turn) -> String {
    match turn {
        Turn::First => format!("{name}-{bucket}"),
        Turn::Second => format!("{name}-{bucket}-2"),
    }
}

async fn introduce(
    config: &ClientConfig,
    context: &Context,
    transactional_id: String,
) -> Result<Producer, Error> {
    let mut config = config.clone();
    config.set("transactional.id", &transactional_id);
    let producer = create(&config, context)?;
    call(&producer, |producer| producer.init_transactions(SLICE))
        .await
        .map_err(|error| refused(error, &transactional_id, "introduce the producer"))?;
    Ok(producer)
}

fn create(config: &ClientConfig, context: &Context) -> Result<Producer, Error> {
    PolledProducer::new(config, context.clone()).map(Arc::new)
}

/// Makes a blocking call until it is answered. Dropping the future leaves at most
/// one [`SLICE`] of it behind.
async fn call(producer: &Producer, what: fn(&Producer) -> KafkaResult<()>) -> KafkaResult<()> {
    loop {
        let producer = producer.clone();
        match spawn_blocking(move || what(&producer)).await {
            Ok(Err(KafkaError::Transaction(error))) if error.is_retriable() => sleep(PAUSE).await,
            Ok(answer) => return answer,
            Err(_) => return Err(KafkaError::Canceled),
        }
    }
}

fn refused(error: KafkaError, producer: &str, action: &str) -> Error {
    if error.rdkafka_error_code().is_some_and(is_fenced) {
        return Error::Fenced { producer: producer.to_owned() };
    }
    Error::Kafka { action: format!("{action} {producer}"), source: error }
}

fn is_fenced(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(code, Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch)
}
