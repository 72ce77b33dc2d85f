//! Bucket leases and cursors, as rows of `outbox_sidecar.cursor`.
//!
//! A lease is a row's `owner`, `epoch` and `expires_at`, on the database's
//! clock. Each takeover raises the epoch, and every cursor write is conditional
//! on owner and epoch: a relay that lost its lease without noticing can write
//! nothing.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use deadpool_postgres::Pool;
use outbox_sidecar_core::window::{Cursor, OpenWindow};
use tokio_postgres::{Row, types::Type};
use uuid::Uuid;

use super::publisher::DeadRow;
use crate::error::Error;

/// Leases on the buckets of one outbox.
pub struct Leases {
    pool: Pool,
    outbox: String,
    owner: Uuid,
    duration: Duration,
    held: BTreeMap<i32, Held>,
    /// Until when the leases surely hold, on this process's clock.
    valid_until: Instant,
}

struct Held {
    epoch: i64,
    cursor: Cursor,
}

/// Buckets at the same cursor, which are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Ascending.
    pub buckets: Vec<i32>,
    /// Where they are.
    pub cursor: Cursor,
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
                "INSERT INTO outbox_sidecar.cursor (outbox, bucket, published)
                 SELECT $1, bucket, $2::pg_snapshot FROM generate_series(0, $3 - 1) AS bucket
                 WHERE NOT EXISTS (SELECT FROM outbox_sidecar.cursor WHERE outbox = $1)
                 ON CONFLICT DO NOTHING",
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
                "outbox `{outbox}` has been published in {existing} buckets; the configuration says {buckets}, \
                 and the number cannot change once there are rows"
            )));
        }
        drop(client);
        Ok(Self {
            pool,
            outbox: outbox.to_owned(),
            owner: Uuid::new_v4(),
            duration,
            held: BTreeMap::new(),
            valid_until: Instant::now(),
        })
    }

    /// Takes the buckets that nobody holds, and renews those held. Returns how
    /// many are held now.
    ///
    /// # Errors
    /// The database is away, or a stored cursor is damaged. After an error the
    /// leases held before are still held, as long as [`valid`](Self::valid) says.
    pub async fn acquire(&mut self) -> Result<usize, Error> {
        let asked_at = Instant::now();
        let client = self.pool.get().await?;
        // SKIP LOCKED: a row being taken by another relay is not worth waiting for.
        let rows = client
            .query_typed(
                "UPDATE outbox_sidecar.cursor AS c
                 SET owner = $2, expires_at = clock_timestamp() + $3 * interval '1 millisecond',
                     epoch = CASE WHEN c.owner = $2 THEN c.epoch ELSE c.epoch + 1 END
                 FROM (SELECT outbox, bucket FROM outbox_sidecar.cursor
                       WHERE outbox = $1 AND (owner IS NULL OR owner = $2 OR expires_at < clock_timestamp())
                       ORDER BY bucket FOR UPDATE SKIP LOCKED) AS free
                 WHERE c.outbox = free.outbox AND c.bucket = free.bucket
                 RETURNING c.bucket, c.epoch, c.published::text, c.window_until::text, c.window_after",
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.owner, Type::UUID),
                    (&self.duration_millis(), Type::FLOAT8),
                ],
            )
            .await
            .map_err(Error::database("take bucket leases"))?;
        let held_before = self.held.len();
        let mut held = BTreeMap::new();
        for row in rows {
            let (bucket, epoch): (i32, i64) = (row.get(0), row.get(1));
            let cursor = match self.held.remove(&bucket) {
                // The cursor in memory may be ahead: empty windows are not stored.
                Some(known) if known.epoch == epoch => known.cursor,
                _ => self.stored_cursor(&row)?,
            };
            held.insert(bucket, Held { epoch, cursor });
        }
        for bucket in self.held.keys() {
            tracing::warn!(
                outbox = self.outbox,
                bucket,
                "lost the lease of a bucket to another relay"
            );
        }
        if held.len() != held_before {
            tracing::info!(outbox = self.outbox, buckets = held.len(), "holding bucket leases");
        }
        self.held = held;
        self.valid_until = asked_at + self.duration;
        Ok(self.held.len())
    }

    /// Whether the leases surely still hold. Publishing beyond this might
    /// interleave with another relay.
    pub fn valid(&self) -> bool {
        Instant::now() < self.valid_until
    }

    /// Whether a third of the lease has passed, so that it is time to renew.
    pub fn renewal_due(&self) -> bool {
        Instant::now() + self.duration * 2 / 3 >= self.valid_until
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

    /// How many buckets are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The held buckets, grouped by cursor.
    pub fn lanes(&self) -> Vec<Lane> {
        let mut lanes: Vec<Lane> = Vec::new();
        for (bucket, held) in &self.held {
            match lanes.iter_mut().find(|lane| lane.cursor == held.cursor) {
                Some(lane) => lane.buckets.push(*bucket),
                None => lanes.push(Lane { buckets: vec![*bucket], cursor: held.cursor.clone() }),
            }
        }
        lanes
    }

    /// Moves a lane on in memory only: nothing was published since the stored
    /// cursor, so a restart from there repeats nothing.
    pub fn advance_unstored(&mut self, lane: &Lane, cursor: &Cursor) {
        for bucket in &lane.buckets {
            if let Some(held) = self.held.get_mut(bucket) {
                held.cursor = cursor.clone();
            }
        }
    }

    /// Stores a lane's new cursor together with the rows found dead on the way,
    /// and renews its leases.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another relay has taken one of the buckets; then
    /// nothing was stored. Or the database is away.
    pub async fn advance(
        &mut self,
        lane: &Lane,
        cursor: &Cursor,
        dead: &[DeadRow],
    ) -> Result<(), Error> {
        let asked_at = Instant::now();
        let epochs: Vec<i64> = lane
            .buckets
            .iter()
            .map(|bucket| {
                // Lost, moved on by another relay and taken back: not where the lane was.
                let held = self.held.get(bucket).filter(|held| held.cursor == lane.cursor);
                held.map_or(-1, |held| held.epoch)
            })
            .collect();
        let mut client = self.pool.get().await?;
        let transaction =
            client.transaction().await.map_err(Error::database("begin a transaction"))?;
        let stored = transaction
            .execute_typed(
                "UPDATE outbox_sidecar.cursor AS c
                 SET published = $3::pg_snapshot, window_until = $4::pg_snapshot, window_after = $5,
                     expires_at = clock_timestamp() + $6 * interval '1 millisecond', updated_at = clock_timestamp()
                 FROM unnest($7::int4[], $8::int8[]) AS mine(bucket, epoch)
                 WHERE c.outbox = $1 AND c.owner = $2 AND c.bucket = mine.bucket AND c.epoch = mine.epoch",
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.owner, Type::UUID),
                    (&cursor.published().to_string(), Type::TEXT),
                    (&cursor.open().map(|open| open.until.to_string()), Type::TEXT),
                    (&cursor.open().map(|open| open.after), Type::INT8),
                    (&self.duration_millis(), Type::FLOAT8),
                    (&lane.buckets, Type::INT4_ARRAY),
                    (&epochs, Type::INT8_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("store the cursor"))?;
        if usize::try_from(stored) != Ok(lane.buckets.len()) {
            return Err(Error::LeaseLost { outbox: self.outbox.clone() });
        }
        for row in dead {
            transaction
                .execute_typed(
                    "INSERT INTO outbox_sidecar.dead_letter (outbox, position, message_id, key, reason)
                     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                    &[
                        (&self.outbox, Type::TEXT),
                        (&row.position, Type::INT8),
                        (&row.message_id, Type::TEXT),
                        (&row.key, Type::TEXT),
                        (&row.reason, Type::TEXT),
                    ],
                )
                .await
                .map_err(Error::database("store a dead letter"))?;
        }
        transaction.commit().await.map_err(Error::database("commit the cursor"))?;
        if lane.buckets.len() == self.held.len() {
            self.valid_until = asked_at + self.duration;
        }
        self.advance_unstored(lane, cursor);
        Ok(())
    }

    /// Gives all buckets back, so that another relay need not wait.
    ///
    /// # Errors
    /// The database is away; the leases then expire by themselves.
    pub async fn release(&mut self) -> Result<(), Error> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.held.clear();
        let client = self.pool.get().await?;
        client
            .execute_typed(
                "UPDATE outbox_sidecar.cursor SET owner = NULL, expires_at = NULL WHERE outbox = $1 AND owner = $2",
                &[(&self.outbox, Type::TEXT), (&self.owner, Type::UUID)],
            )
            .await
            .map_err(Error::database("give bucket leases back"))?;
        Ok(())
    }

    fn stored_cursor(&self, row: &Row) -> Result<Cursor, Error> {
        let damaged = |source| Error::Cursor { outbox: self.outbox.clone(), source };
        let published = row.get::<_, &str>(2).parse().map_err(damaged)?;
        let open = match (row.get::<_, Option<&str>>(3), row.get(4)) {
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
