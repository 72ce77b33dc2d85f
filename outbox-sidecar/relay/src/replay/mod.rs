//! Publishing retained rows again, on somebody's behalf.
//!
//! A replay is a row of `outbox_sidecar.replay` ([`record`]): which rows, on
//! whose behalf, how far it has come. It goes through the rows by position, chunk
//! by chunk, and notes its place when the broker has acknowledged a chunk, so
//! that it can be interrupted at any moment and taken up again. Cursors and
//! leases are not touched: the relays go on meanwhile.

pub mod arguments;
mod record;
mod rows;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;
use outbox_sidecar_core::{
    chunk_size::ChunkSize,
    config::{Config, Engine, Outbox},
    record::Mapping,
    window::Position,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::rows::Found;
use self::{record::Record, rows::Rows};
use crate::{
    database::{self, table::check_outbox},
    error::Error,
    kafka::topics::TopicMaker,
    outbox::{
        producers::Producers,
        publisher::{Acknowledged, InFlight, Publisher, Taken},
        relay::leave,
        settlement::UnpublishedRow,
    },
};

/// The header that tells a replayed record from the first one: the replay's id.
pub const HEADER: &str = "replay";

/// How long an interrupted replay waits for acknowledgements under way.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Which rows are published again: those that meet all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The Kafka key.
    pub key: Option<String>,
    /// The message id, as text.
    pub message_id: Option<String>,
    /// Created at or after this time.
    pub since: Option<jiff::Timestamp>,
    /// Created before this time.
    pub until: Option<jiff::Timestamp>,
}

/// What to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A new replay.
    New {
        /// The outbox's name.
        outbox: String,
        /// Which rows.
        filter: Filter,
        /// On whose behalf.
        actor: String,
    },
    /// One that was interrupted.
    Resume(Uuid),
}

/// What a replay has done so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which one.
    pub id: Uuid,
    /// Rows published again.
    pub rows: i64,
    /// Rows that could not be published.
    pub refused: i64,
    /// The last position it has come to.
    pub position: Option<Position>,
    /// Whether it has come to its end.
    pub finished: bool,
}

/// What is told on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// How far it has come: at the beginning, and about once a second.
    Progress(Progress),
    /// A row that could not be published.
    Refused(UnpublishedRow),
}

/// Counts the rows that a new replay would publish, and publishes nothing.
///
/// # Errors
/// There is no such outbox, or the database is away.
pub async fn count(config: &Config, outbox: &str, filter: &Filter) -> Result<Found, Error> {
    let outbox = named(config, outbox)?;
    let pool = pool(config)?;
    database::prepare(&pool).await?;
    let client = pool.get().await?;
    check_outbox(&client, outbox).await?;
    Rows::new(outbox, filter).count(&client).await
}

/// Publishes retained rows again, in the order of their positions, each with the
/// header [`HEADER`]. Only rows that have been published before are: others are
/// on their way anyhow.
///
/// A stop ends it after the chunk under way. It can then be resumed, as after a
/// crash; at most one chunk is published once more.
///
/// # Errors
/// There is no such outbox or replay; or the database or the broker refuses. The
/// broker being away is waited for.
pub async fn run(
    config: &Config,
    task: Task,
    stop: &CancellationToken,
    mut tell: impl FnMut(Event),
) -> Result<Progress, Error> {
    let pool = pool(config)?;
    database::prepare(&pool).await?;
    let (outbox, record) = match task {
        Task::New { outbox, filter, actor } => {
            let outbox = named(config, &outbox)?;
            let client = pool.get().await?;
            check_outbox(&client, outbox).await?;
            let through = Rows::new(outbox, &filter).last(&client).await?;
            (outbox, Record::begin(&client, &outbox.name, filter, &actor, through).await?)
        }
        Task::Resume(id) => {
            let record = Record::load(&pool.get().await?, id).await?;
            (named(config, &record.outbox)?, record)
        }
    };
    let topics = Arc::new(TopicMaker::new(&config.kafka, config.topics.clone())?);
    let mut replay = Replay {
        rows: Rows::new(outbox, &record.filter),
        size: outbox.chunk.size(),
        config,
        outbox,
        pool,
        topics,
        record,
    };
    let mut publisher = replay.publisher()?;
    tell(Event::Progress(replay.record.progress()));
    let mut told = Instant::now();
    while !replay.record.finished && !stop.is_cancelled() {
        let spent = replay.chunk(&publisher, stop, &mut tell).await?;
        if spent {
            publisher = replay.publisher()?;
        }
        if told.elapsed() >= PROGRESS_INTERVAL {
            tell(Event::Progress(replay.record.progress()));
            told = Instant::now();
        }
    }
    Ok(replay.record.progress())
}

fn pool(config: &Config) -> Result<Pool, Error> {
    database::pool_of(config)?
        .ok_or_else(|| Error::Table("the configuration has no outbox, and no database".into()))
}

fn named<'a>(config: &'a Config, name: &str) -> Result<&'a Outbox, Error> {
    let found = config.outboxes.iter().find(|outbox| outbox.name == name);
    if found.is_some_and(|outbox| outbox.engine() == Engine::Claim) {
        return Err(Error::Table(format!(
            "the outbox `{name}` has `engine: claim`, which keeps no order of what it has published; only outboxes with \
             `engine: append` can be replayed"
        )));
    }
    found.ok_or_else(|| {
        let names: Vec<_> = config.outboxes.iter().map(|outbox| outbox.name.as_str()).collect();
        Error::Table(format!(
            "the configuration has no outbox `{name}`; it has {}",
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        ))
    })
}

struct Replay<'a> {
    config: &'a Config,
    outbox: &'a Outbox,
    pool: Pool,
    topics: Arc<TopicMaker>,
    rows: Rows,
    size: ChunkSize,
    record: Record,
}

impl Replay<'_> {
    fn publisher(&self) -> Result<Publisher, Error> {
        let topics = Arc::clone(&self.topics);
        let producers = Producers::idempotent(&self.config.kafka)?;
        let publisher = Publisher::new(producers, Mapping::new(self.outbox), topics);
        Ok(publisher.marked(HEADER, self.record.id.to_string()))
    }

    /// Publishes one chunk and notes it; returns whether the publisher is spent.
    async fn chunk(
        &mut self,
        publisher: &Publisher,
        stop: &CancellationToken,
        tell: &mut impl FnMut(Event),
    ) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let mut filling = self.size.begin();
        let mut chunk = self.rows.read(&client, &self.record, filling.limit()).await?;
        let mut in_flight = InFlight::default();
        let (mut last, mut full) = (None, false);
        while let Some(row) = chunk.next().await? {
            full = publisher.send(&row, &mut in_flight).await? != Taken::Yes;
            if full {
                break;
            }
            last = Some(row.position());
            full = filling.add(row.bytes());
            if full {
                break;
            }
        }
        drop(chunk);
        let much_is_left = self.size.ended(&filling);
        leave(client, full && much_is_left);
        let rows = filling.rows();
        let acknowledged = tokio::select! {
            acknowledged = in_flight.acknowledged(publisher) => acknowledged?,
            () = async { stop.cancelled().await; tokio::time::sleep(DRAIN_TIMEOUT).await } => {
                publisher.abandon();
                return Err(Error::Ended("waiting for the broker"));
            }
        };
        let (dead, spent) = match acknowledged {
            Acknowledged::All(dead) => (dead, false),
            Acknowledged::Alone(dead) => (dead, true),
            Acknowledged::Refused => {
                // Any of the rows may be to blame: fewer at a time, until it stands alone.
                self.size.refused(rows);
                return Ok(true);
            }
        };
        if full {
            self.size.filled(rows);
        } else {
            self.size.passed(!dead.is_empty());
        }
        let exhausted = rows < filling.limit() && !full;
        let client = self.pool.get().await?;
        self.record.note(&client, last, rows - dead.len(), dead.len(), exhausted).await?;
        dead.into_iter().map(Event::Refused).for_each(tell);
        Ok(spent)
    }
}
