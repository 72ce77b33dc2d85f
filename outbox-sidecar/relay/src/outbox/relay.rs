//! The loop of one outbox: lease, read, publish, store the cursor.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_postgres::{Client, Pool};
use outbox_sidecar_core::{
    chunk_size::ChunkSize,
    config::{self, Delivery},
    pace::Pace,
    record::Mapping,
    window::{Cursor, Position},
};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    identity::identity,
    lease::Leases,
    producers::{Producers, Turn},
    publisher::{Acknowledged, InFlight, Publisher},
    restore::OriginGuard,
    retry::Retry,
    settlement::UnpublishedRow,
    sole,
    source::Source,
    under_way::UnderWay,
    wake::Wake,
};
use crate::{
    database::{
        inspect::OutboxTable,
        table::{check_buckets, check_outbox},
    },
    error::Error,
    kafka::topics::TopicMaker,
    metrics::OutboxMetrics,
    status::OutboxStatus,
};

/// How long a stopping relay waits for acknowledgements under way.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the pending rows are counted for metrics and status.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

/// Everything one outbox needs; it can be run again after an error.
pub struct OutboxRelay {
    /// The outbox.
    pub config: config::Outbox,
    /// How to reach Kafka.
    pub kafka: config::Kafka,
    /// The database.
    pub pool: Pool,
    /// Makes topics.
    pub topics: Arc<TopicMaker>,
    /// A poke that rows are waiting.
    pub wake: Wake,
    /// What is counted.
    pub metrics: OutboxMetrics,
    /// What is told.
    pub status: OutboxStatus,
}

impl OutboxRelay {
    /// Publishes until told to stop. A stop finishes the chunk under way and
    /// gives the leases back.
    ///
    /// # Errors
    /// Whatever made it impossible to go on. To be called again after a wait:
    /// it starts from the stored cursor.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let table = check_outbox(&client, &self.config).await?;
        sole::check(&client, &self.config).await?;
        drop(client);
        // First, as it tells why a broker cannot be used; making topics only times out.
        let publisher = self.publisher().await?;
        let mapping = Mapping::new(&self.config);
        if let Some(topic) = mapping.constant_topic() {
            self.topics.ensure([topic]).await?;
        }
        let mut leases = Leases::open(
            self.pool.clone(),
            &self.config.name,
            self.config.buckets,
            self.config.lease.get(),
        )
        .await?;
        let origin = OriginGuard::new(&self.pool, &self.config).await?;
        let source = self.source(&origin, &table).await?;
        let mut pass = Pass {
            relay: self,
            source,
            table: &table,
            origin,
            highest: None,
            size: self.config.chunk.size(),
            under_way: UnderWay::default(),
            cautious: false,
            look_again: false,
            publisher,
            turn: Turn::default(),
            leases: &mut leases,
            loaded_at: Instant::now(),
            counted_at: Instant::now(),
            retry: Retry::new(self.config.chunk.size()),
            read_took: Duration::ZERO,
            pace: Pace::default(),
        };
        let result = match pass.repeat(stop).await {
            Ok(()) => pass.note().await,
            failed => failed,
        };
        if result.is_err() {
            pass.publisher.abandon();
            self.topics.forget();
        }
        self.status.released();
        self.metrics.holding(0);
        // An error here only means that others wait for the lease to expire.
        match timeout(DRAIN_TIMEOUT, leases.release()).await {
            Ok(Err(error)) if result.is_ok() => Err(error),
            _ => result,
        }
    }

    /// For the database as it is, which may have been restored.
    async fn source(&self, origin: &OriginGuard, table: &OutboxTable) -> Result<Source, Error> {
        let restored = origin.check(&mut self.pool.get().await?).await?;
        if let Some(restored) = restored {
            self.metrics.restored(restored.news);
            self.status.restored(restored.at);
        }
        Ok(Source::new(&self.config, table, restored.map(|restored| restored.until)))
    }

    async fn publisher(&self) -> Result<Publisher, Error> {
        let producers = match self.config.delivery {
            Delivery::Idempotent => Producers::idempotent(&self.kafka)?,
            Delivery::Transactional => {
                let id = identity(&self.pool, &self.config.name).await?;
                let prefix = &self.config.transactional_id_prefix;
                let name = format!("{prefix}-{}-{id}", self.config.name);
                Producers::transactional(&self.kafka, name, self.config.buckets)?
            }
        };
        Ok(Publisher::new(producers, Mapping::new(&self.config), Arc::clone(&self.topics)))
    }
}

/// A run of the relay.
pub(super) struct Pass<'a> {
    pub(super) relay: &'a OutboxRelay,
    pub(super) source: Source,
    table: &'a OutboxTable,
    origin: OriginGuard,
    /// The highest position whose publication is stored.
    pub(super) highest: Option<Position>,
    pub(super) size: ChunkSize,
    pub(super) under_way: UnderWay,
    /// After a failure: chunks go one by one until one has gone through.
    pub(super) cautious: bool,
    /// Rows that were read are to be read again.
    pub(super) look_again: bool,
    pub(super) publisher: Publisher,
    /// Of the producers that sent the last chunk, if they are transactional.
    pub(super) turn: Turn,
    pub(super) leases: &'a mut Leases,
    /// When the cursors were read from the database.
    loaded_at: Instant,
    /// When the pending rows were last counted.
    counted_at: Instant,
    /// When parked rows are tried again.
    pub(super) retry: Retry,
    /// How long the last chunk was read.
    pub(super) read_took: Duration,
    pace: Pace,
}

impl Pass<'_> {
    /// Goes on until told to stop, and then until nothing is under way.
    async fn repeat(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let poll = self.relay.config.poll;
        let mut wait = poll.minimum.get();
        let mut look_at = Instant::now();
        let (mut poked, mut rest_until) = (false, Instant::now());
        let mut count = interval(COUNT_INTERVAL);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let held = self.leases.held();
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.settle_all(stop).await,
                () = sleep_until(self.leases.due().into()) => {
                    self.renew(stop).await?;
                    if self.leases.held() <= held && !self.look_again {
                        continue;
                    }
                    // Rows may have waited for buckets that are new here.
                }
                _ = count.tick() => {
                    self.count_pending().await?;
                    continue;
                }
                () = self.under_way.moved() => {
                    self.follow_up(stop).await?;
                    if !self.look_again {
                        continue;
                    }
                }
                () = self.relay.wake.poked(), if !poked => {
                    poked = true;
                    if rest_until > Instant::now() {
                        continue;
                    }
                }
                () = sleep_until(rest_until.into()), if poked => {}
                () = sleep_until(self.retry.before(look_at).into()) => {}
            }
            if self.leases.held() == 0 {
                // Other relays publish; this one looks when leases are due.
                look_at = Instant::now() + poll.maximum.get();
                continue;
            }
            poked = false;
            let published = self.publish_all(stop).await?;
            rest_until = Instant::now() + self.pace.rest(self.read_took);
            wait = if published > 0 {
                poll.minimum.get()
            } else {
                (wait * 2).clamp(poll.minimum.get(), poll.maximum.get())
            };
            look_at = (Instant::now() + wait).max(rest_until);
        }
    }

    /// Makes sure that the broker takes nothing more from who held the buckets
    /// before, if the producers are transactional.
    pub(super) async fn take_over_producers(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        // More buckets may be taken while the broker is waited for.
        loop {
            let held = self.leases.epochs();
            if self.publisher.is_of(&held) {
                return Ok(());
            }
            let mut publisher = self.publisher.clone();
            self.keeping_leases(publisher.take_over(&held), stop).await?;
            self.publisher = publisher;
        }
    }

    /// A connection to the database that the cursors in memory are from; none if
    /// they had to be read anew.
    pub(super) async fn connection(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<Option<Client>, Error> {
        let client = self.relay.pool.get().await?;
        if Client::metrics(&client).created <= self.loaded_at {
            return Ok(Some(client));
        }
        drop(client);
        self.settle_all(stop).await?;
        self.loaded_at = Instant::now();
        self.source = self.relay.source(&self.origin, self.table).await?;
        self.leases.reload().await?;
        Ok(None)
    }

    /// Waits until the broker has answered for a chunk; returns the rows that are not
    /// published, or none if any of the chunk's rows may be to blame for a refusal.
    pub(super) async fn unpublished(
        &mut self,
        mut in_flight: InFlight,
        stop: &CancellationToken,
    ) -> Result<Option<Vec<UnpublishedRow>>, Error> {
        let publisher = self.publisher.clone();
        let acknowledged = self.keeping_leases(in_flight.acknowledged(&publisher), stop).await?;
        if !matches!(acknowledged, Acknowledged::All(_)) {
            self.publisher.start_anew(&in_flight.take_begun())?;
            self.take_over_producers(stop).await?;
        }
        Ok(match acknowledged {
            Acknowledged::All(unpublished) | Acknowledged::Alone(unpublished) => Some(unpublished),
            Acknowledged::Refused => None,
        })
    }

    /// Waits for the broker as long as it takes, keeping the leases meanwhile.
    pub(super) async fn keeping_leases<T>(
        &mut self,
        answer: impl Future<Output = Result<T, Error>>,
        stop: &CancellationToken,
    ) -> Result<T, Error> {
        let lost = self.leases.lost();
        let stopping = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::pin!(answer, stopping);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = sleep_until(self.leases.due().into()) => {
                    if self.publisher.brokers_down() {
                        self.relay.status.waiting("a Kafka broker to acknowledge rows");
                    }
                    if self.counted_at.elapsed() >= COUNT_INTERVAL {
                        // What piles up behind an outage must be seen during it.
                        self.count_pending().await?;
                    }
                    self.leases.acquire().await?;
                    if self.leases.lost() > lost {
                        return Err(Error::LeaseLost { outbox: self.relay.config.name.clone() });
                    }
                }
                () = &mut stopping => return Err(Error::Ended("waiting for the broker while stopping")),
            }
        }
    }

    /// Renews the leases and takes and gives what is due, when nothing is under way any more.
    pub(super) async fn renew(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        self.settle_all(stop).await?;
        self.leases.acquire().await?;
        self.leases.hand_back().await?;
        let held = self.leases.held();
        self.relay.status.holding(self.leases.relay(), self.leases.seen());
        self.relay.metrics.holding(held);
        self.keep_an_eye_on_parked().await
    }

    /// Writes down how far the outbox has been published, for the case of a restore.
    async fn note(&mut self) -> Result<(), Error> {
        let client = self.relay.pool.get().await?;
        self.origin.note(&client, self.highest).await
    }

    async fn count_pending(&mut self) -> Result<(), Error> {
        self.counted_at = Instant::now();
        let client = self.relay.pool.get().await?;
        check_buckets(&client, &self.relay.config).await?;
        sole::mark(&client, &self.relay.config, self.leases.relay()).await?;
        sole::check(&client, &self.relay.config).await?;
        self.origin.note(&client, self.highest).await?;
        let (mut rows, mut age) = (0, None);
        for lane in self.leases.published_lanes() {
            let (lane_rows, lane_age) = self.source.pending(&client, &lane).await?;
            rows += lane_rows;
            age = older(age, lane_age);
        }
        if rows == 0 && self.relay.config.columns().created_at.is_some() {
            age = Some(0.0);
        }
        self.relay.metrics.pending(rows, age);
        self.count_parked(&client).await?;
        let cursors: Vec<(Vec<i32>, Cursor)> = self
            .leases
            .published_lanes()
            .into_iter()
            .map(|lane| (lane.buckets, lane.cursor))
            .collect();
        self.relay.status.pending(rows, age, &cursors);
        Ok(())
    }
}

/// Gives a connection back on which a statement may not have ended yet, or closes
/// it: otherwise the database sends all the rows that are left, however large, and
/// whoever is next on the connection waits for that.
pub(crate) fn leave(client: Client, close: bool) {
    if close {
        drop(Client::take(client));
    }
}

/// The greater of two ages, of which either may not be known.
pub(super) fn older(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
