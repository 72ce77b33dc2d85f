//! Bucket leases and cursors, as rows of `outbox_sidecar.cursor`, and the relays
//! that share them, as rows of `outbox_sidecar.relay`.
//!
//! What the rows mean and who may do what is in `core/src/lease.rs`; this is its
//! SQL, and what a relay remembers of it.

mod sharing;
mod statements;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;
use outbox_sidecar_core::{
    lease::Plan,
    share::RelayId,
    sql_name::literal,
    status::LeaseReport,
    window::{Cursor, OpenWindow},
};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use self::statements::Advance;
pub use self::statements::STORED_EVERYWHERE;
use super::{
    buckets::change_of_buckets,
    claim::{Id, Retire, RowIds},
    settlement::Settlement,
};
use crate::error::Error;

/// Leases on the buckets of one outbox.
pub struct Leases {
    pool: Pool,
    outbox: String,
    buckets: u16,
    owner: RelayId,
    duration: Duration,
    held: BTreeMap<i32, Held>,
    /// How many were lost to other relays so far.
    lost: u64,
    /// The live relays, as last seen, and what each shall publish.
    members: BTreeSet<RelayId>,
    shares: BTreeMap<i32, RelayId>,
    /// What is still to do for the share.
    plan: Plan,
    /// All leases, as last seen.
    seen: Vec<LeaseReport>,
    /// Until when the leases surely hold, on this process's clock.
    valid_until: Instant,
    /// When to look again.
    due: Instant,
    /// How long to wait for another relay to give up what is awaited from it.
    pause: Duration,
}

/// The wait doubles from here up to a third of the lease.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

struct Held {
    epoch: i64,
    /// Up to here everything is published, and that is stored, unless nothing was
    /// between.
    published: Cursor,
    /// Up to here everything is read; what is between is under way.
    read: Cursor,
}

impl Held {
    fn at(epoch: i64, cursor: Cursor) -> Self {
        Self { epoch, read: cursor.clone(), published: cursor }
    }
}

/// Buckets at the same cursor, which are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Ascending.
    pub buckets: Vec<i32>,
    /// In which they are held, in the same order.
    pub epochs: Vec<i64>,
    /// Where they are.
    pub cursor: Cursor,
}

impl Lane {
    /// Whether these are the same buckets, held all the while.
    pub fn is_same(&self, other: &Self) -> bool {
        self.buckets == other.buckets && self.epochs == other.epochs
    }
}

impl Leases {
    /// Makes the cursor rows of a new outbox, and holds no bucket yet.
    ///
    /// # Errors
    /// The database is away, or the outbox was set up with another number of
    /// buckets.
    pub async fn open(
        pool: Pool,
        outbox: &str,
        buckets: u16,
        duration: Duration,
    ) -> Result<Self, Error> {
        let client = pool.get().await?;
        client
            .execute_typed(
                statements::MAKE_CURSORS,
                &[
                    (&outbox, Type::TEXT),
                    (&Cursor::start().published().to_string(), Type::TEXT),
                    (&i32::from(buckets), Type::INT4),
                ],
            )
            .await
            .map_err(Error::database("make the cursors"))?;
        let row = client
            .query_typed_one(
                "SELECT count(*) FROM outbox_sidecar.cursor WHERE outbox = $1",
                &[(&outbox, Type::TEXT)],
            )
            .await
            .map_err(Error::database("count the cursors"))?;
        let existing: i64 = row.get(0);
        if existing != i64::from(buckets) {
            return Err(Error::Table(format!(
                "outbox `{outbox}` has been published in {existing} buckets; the configuration says {buckets}. \
                 To change it, stop all its sidecars and in one transaction make the table's bucket column anew \
                 for {buckets} and run: {}",
                change_of_buckets(&literal(outbox), existing, buckets)
            )));
        }
        drop(client);
        Ok(Self {
            pool,
            outbox: outbox.to_owned(),
            buckets,
            owner: Uuid::new_v4(),
            duration,
            held: BTreeMap::new(),
            lost: 0,
            members: BTreeSet::new(),
            shares: BTreeMap::new(),
            plan: Plan::default(),
            seen: Vec::new(),
            valid_until: Instant::now(),
            due: Instant::now(),
            pause: SHORTEST_PAUSE,
        })
    }

    /// Whether the leases surely still hold. Publishing beyond this might
    /// interleave with another relay.
    pub fn valid(&self) -> bool {
        Instant::now() < self.valid_until
    }

    /// When to call [`acquire`](Self::acquire) again: three times per lease, and
    /// sooner when another relay is about to give a bucket back.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// How many buckets other relays have taken because the lease had expired. While
    /// rows are under way, an increase says that they are perhaps another's now.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether a lane's buckets are still held, and nobody else moved them on.
    pub fn holds(&self, lane: &Lane) -> bool {
        lane.buckets.iter().zip(&lane.epochs).all(|(bucket, epoch)| {
            let held = self.held.get(bucket);
            held.is_some_and(|held| held.epoch == *epoch && held.read == lane.cursor)
        })
    }

    /// Goes back to the stored cursors, as the database may be another one than
    /// before: after a failover, those in memory may be ahead of it.
    ///
    /// # Errors
    /// As for [`acquire`](Self::acquire).
    pub async fn reload(&mut self) -> Result<usize, Error> {
        self.held.clear();
        self.acquire().await
    }

    /// The buckets held, with their epochs.
    pub fn epochs(&self) -> BTreeMap<i32, i64> {
        self.held.iter().map(|(bucket, held)| (*bucket, held.epoch)).collect()
    }

    /// This relay, as it stands in the rows it owns.
    pub fn relay(&self) -> RelayId {
        self.owner
    }

    /// The leases of all buckets, as last seen.
    pub fn seen(&self) -> &[LeaseReport] {
        &self.seen
    }

    /// How many buckets are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The held buckets, grouped by how far they are read.
    pub fn lanes(&self) -> Vec<Lane> {
        self.lanes_by(|held| &held.read)
    }

    /// The held buckets, grouped by how far they are published.
    pub fn published_lanes(&self) -> Vec<Lane> {
        self.lanes_by(|held| &held.published)
    }

    fn lanes_by(&self, cursor: impl Fn(&Held) -> &Cursor) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = Vec::new();
        for (bucket, held) in &self.held {
            let cursor = cursor(held);
            let index = lanes.iter().position(|lane| lane.cursor == *cursor);
            let index = index.unwrap_or_else(|| {
                let cursor = cursor.clone();
                lanes.push(Lane { buckets: Vec::new(), epochs: Vec::new(), cursor });
                lanes.len() - 1
            });
            if let Some(lane) = lanes.get_mut(index) {
                lane.buckets.push(*bucket);
                lane.epochs.push(held.epoch);
            }
        }
        lanes
    }

    fn of_lane(&mut self, lane: &Lane, mut move_on: impl FnMut(&mut Held)) {
        for (bucket, epoch) in lane.buckets.iter().zip(&lane.epochs) {
            self.held.get_mut(bucket).filter(|held| held.epoch == *epoch).map(&mut move_on);
        }
    }

    /// Moves a lane on in memory only: its rows up to here are read and under way.
    pub fn has_read(&mut self, lane: &Lane, cursor: &Cursor) {
        self.of_lane(lane, |held| held.read = cursor.clone());
    }

    /// Moves a lane on in memory only: nothing was published since the stored
    /// cursor, so a restart from there repeats nothing.
    pub fn advance_unstored(&mut self, lane: &Lane, cursor: &Cursor) {
        self.of_lane(lane, |held| {
            held.read = cursor.clone();
            held.published = cursor.clone();
        });
    }

    /// Goes back to what is published: the rest is to be read again.
    pub fn rewind(&mut self) {
        for held in self.held.values_mut() {
            held.read = held.published.clone();
        }
    }

    /// Stores a lane's new cursor and renews its leases; the future does not need this
    /// value, and tells when it began. [`stored`](Self::stored) is to be told of it.
    ///
    /// One statement that is a transaction of its own. When another relay has taken some
    /// of the buckets, the others have moved on: their rows are published all the same.
    /// Rows that are to be retired are so by a part of it, and only if all buckets have
    /// moved on.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another relay has taken one of the buckets. Or the database
    /// is away.
    pub fn store(
        &self,
        lane: &Lane,
        cursor: &Cursor,
        retiring: Option<(Arc<Retire>, Vec<RowIds>)>,
    ) -> impl Future<Output = Result<Instant, Error>> + Send + use<> {
        let advance = self.advance_of(lane, cursor);
        let pool = self.pool.clone();
        async move {
            let asked_at = Instant::now();
            let client = pool.get().await?;
            let stored = if let Some((retire, rows)) = &retiring {
                let ids: Vec<Id<'_>> =
                    rows.iter().flat_map(|rows| rows.iter()).map(|row| Id(&row.id)).collect();
                let mut parameters = advance.parameters().to_vec();
                parameters.push((&ids, retire.ids.clone()));
                let statement = statements::advance_and(&retire.along);
                let row = client.query_typed_one(&statement, &parameters).await;
                row.map(|row| u64::try_from(row.get::<_, i64>(0)).unwrap_or_default())
            } else {
                client.execute_typed(statements::ADVANCE, &advance.parameters()).await
            };
            advance.check(stored.map_err(Error::database("store the cursor"))?)?;
            Ok(asked_at)
        }
    }

    /// A lane's cursor is stored, by a statement that began at this time.
    pub fn stored(&mut self, lane: &Lane, cursor: &Cursor, asked_at: Instant) {
        if lane.buckets.len() == self.held.len() {
            self.valid_until = self.valid_until.max(asked_at + self.duration);
        }
        self.of_lane(lane, |held| held.published = cursor.clone());
    }

    /// Stores a lane's new cursor, and in the same transaction what else the end of
    /// a chunk changes; renews its leases. Nothing else of the lane may be under way.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another relay has taken one of the buckets; then
    /// nothing was stored. Or the database is away.
    pub async fn advance(
        &mut self,
        lane: &Lane,
        cursor: &Cursor,
        settlement: Option<&Settlement<'_>>,
    ) -> Result<(), Error> {
        let asked_at = Instant::now();
        let advance = self.advance_of(lane, cursor);
        let mut client = self.pool.get().await?;
        let transaction =
            client.transaction().await.map_err(Error::database("begin a transaction"))?;
        transaction
            .batch_execute(&statements::rest_no_longer_than(self.duration))
            .await
            .map_err(Error::database("limit a transaction's rest"))?;
        let stored = transaction
            .execute_typed(statements::ADVANCE, &advance.parameters())
            .await
            .map_err(Error::database("store the cursor"))?;
        advance.check(stored)?;
        if let Some(settlement) = settlement {
            settlement.store(&transaction).await?;
        }
        transaction.commit().await.map_err(Error::database("commit the cursor"))?;
        self.stored(lane, cursor, asked_at);
        self.has_read(lane, cursor);
        Ok(())
    }

    fn advance_of(&self, lane: &Lane, cursor: &Cursor) -> Advance {
        Advance {
            outbox: self.outbox.clone(),
            owner: self.owner,
            published: cursor.published().to_string(),
            until: cursor.open().map(|open| open.until.to_string()),
            after: cursor.open().map(|open| open.after),
            lease: self.duration_millis(),
            buckets: lane.buckets.clone(),
            epochs: lane.epochs.clone(),
        }
    }

    /// Gives all buckets back and claims no share any more, so that the other
    /// relays need not wait.
    ///
    /// # Errors
    /// The database is away; the leases then expire by themselves.
    pub async fn release(&mut self) -> Result<(), Error> {
        self.held.clear();
        let client = self.pool.get().await?;
        client
            .execute_typed(
                statements::RELEASE,
                &[(&self.outbox, Type::TEXT), (&self.owner, Type::UUID)],
            )
            .await
            .map_err(Error::database("give bucket leases back"))?;
        Ok(())
    }

    fn stored_cursor(&self, row: &Row) -> Result<Cursor, Error> {
        let damaged = |source| Error::Cursor { outbox: self.outbox.clone(), source };
        let published = row.get::<_, &str>("published").parse().map_err(damaged)?;
        let open = match (row.get::<_, Option<&str>>("window_until"), row.get("window_after")) {
            (Some(until), Some(after)) => {
                Some(OpenWindow { until: until.parse().map_err(damaged)?, after })
            }
            _ => None,
        };
        Ok(Cursor::at(published, open))
    }

    fn duration_millis(&self) -> f64 {
        self.duration.as_secs_f64() * 1_000.0
    }
}
