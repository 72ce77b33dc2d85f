//! What the end of a chunk changes besides the cursor: rows that are parked, rows
//! that die, and rows that were parked and are published.

use std::collections::BTreeSet;

use deadpool_postgres::Transaction;
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    parked::{Refusal, Verdict, WaitingKeys},
    window::Position,
};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{
    claim::{Id, Retire},
    parked::first_rows_go_next,
};
use crate::error::Error;

/// A row that is not published now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpublishedRow {
    /// Which of the chunk's rows it is.
    pub place: usize,
    /// Its place in the outbox, or what else tells it from the others.
    pub position: Position,
    /// Its bucket.
    pub bucket: i32,
    /// Its id.
    pub message_id: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// How often it was refused before.
    pub attempts: u32,
    /// Why it was refused now; none: it waits behind another row of its key.
    pub refused: Option<(Refusal, String)>,
}

impl UnpublishedRow {
    /// Why it was refused; empty if it only waits.
    pub fn reason(&self) -> &str {
        self.refused.as_ref().map_or("", |(_, reason)| reason)
    }
}

/// What becomes of published rows, for tables whose rows say themselves whether
/// they are.
#[derive(Debug)]
pub struct Retirement<'a> {
    /// How.
    pub retire: &'a Retire,
    /// Whose rows.
    pub ids: Vec<String>,
}

/// What the end of a chunk changes besides the cursor, in the same transaction, and
/// so only under a lease that holds.
#[derive(Debug)]
pub struct Settlement<'a> {
    outbox: &'a Outbox,
    retirement: Option<Retirement<'a>>,
    parked: Vec<ParkedRow>,
    dead: Vec<DeadRow>,
    /// Rows that were parked and are no longer.
    unparked: Vec<Position>,
    /// Keys of which another row may be the first now.
    keys: BTreeSet<String>,
}

#[derive(Debug)]
struct ParkedRow {
    row: UnpublishedRow,
    attempts: u32,
    /// In seconds; none: behind another row.
    retry_after: Option<f64>,
}

#[derive(Debug)]
struct DeadRow {
    row: UnpublishedRow,
    attempts: u32,
}

impl<'a> Settlement<'a> {
    /// Decides on the rows of a chunk that were not published. `retried` are all
    /// rows of a chunk of parked ones, with their keys.
    pub fn new(
        outbox: &'a Outbox,
        mut unpublished: Vec<UnpublishedRow>,
        retried: Vec<(Position, Option<String>)>,
    ) -> Self {
        unpublished.sort_by_key(|row| row.place);
        let policy = outbox.poison.policy();
        let mut settlement = Self {
            outbox,
            retirement: None,
            parked: Vec::new(),
            dead: Vec::new(),
            unparked: Vec::new(),
            keys: BTreeSet::new(),
        };
        let mut waiting = WaitingKeys::default();
        let mut stay = BTreeSet::new();
        for row in unpublished {
            settlement.keys.extend(row.key.clone());
            let verdict = match &row.refused {
                Some((refusal, _)) => policy.verdict(*refusal, row.attempts, jitter()),
                None => Verdict::Park { attempts: row.attempts, retry_after: Default::default() },
            };
            match verdict {
                Verdict::Dead { attempts } => settlement.dead.push(DeadRow { row, attempts }),
                Verdict::Park { attempts, retry_after } => {
                    stay.insert(row.position);
                    // Refused behind a row that is tried first: its own turn is yet to come.
                    let first = row.refused.is_some() && !waiting.has(row.key.as_deref());
                    waiting.park(row.key.as_deref());
                    if !first && outbox.engine() == Engine::Claim {
                        // Its own row says that it waits.
                        continue;
                    }
                    settlement.parked.push(ParkedRow {
                        attempts: if first { attempts } else { row.attempts },
                        retry_after: first.then_some(retry_after.as_secs_f64()),
                        row,
                    });
                }
            }
        }
        for (position, key) in retried {
            settlement.keys.extend(key);
            if !stay.contains(&position) {
                settlement.unparked.push(position);
            }
        }
        settlement
    }

    /// And published rows are to be retired.
    pub fn retiring(mut self, retirement: Option<Retirement<'a>>) -> Self {
        self.retirement = retirement;
        self
    }

    /// How many rows die.
    pub fn dead(&self) -> usize {
        self.dead.len()
    }

    /// Whether rows were refused, and not only wait behind others.
    pub fn refused_any(&self) -> bool {
        !self.dead.is_empty() || self.parked.iter().any(|parked| parked.row.refused.is_some())
    }

    /// Whether some row was parked before or is now.
    pub fn concerns_parked(&self) -> bool {
        !self.parked.is_empty() || !self.unparked.is_empty()
    }

    /// Tells of it in the log.
    pub fn log(&self) {
        let outbox = &self.outbox.name;
        for DeadRow { row, attempts } in &self.dead {
            let (key, reason) = (row.key.as_deref(), row.reason());
            tracing::error!(
                outbox,
                position = row.position,
                key,
                attempts,
                reason,
                "a row cannot be published and is now a dead letter"
            );
        }
        for ParkedRow { row, attempts, retry_after } in &self.parked {
            let Some(seconds) = retry_after else { continue };
            let (key, reason) = (row.key.as_deref(), row.reason());
            tracing::warn!(
                outbox,
                position = row.position,
                key,
                attempts,
                reason,
                retry_after_seconds = seconds,
                "a row was refused; its key waits until it is tried again"
            );
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn store(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let outbox = self.outbox;
        if let Some(retirement) = &self.retirement {
            let Retirement { retire, ids } = retirement;
            let ids: Vec<Id<'_>> = ids.iter().map(|id| Id(id)).collect();
            transaction
                .execute_typed(&retire.alone, &[(&ids, retire.ids.clone())])
                .await
                .map_err(Error::database("delete or mark published rows"))?;
        }
        if !self.dead.is_empty() {
            self.bury(transaction).await?;
        }
        if !self.unparked.is_empty() {
            transaction
                .execute_typed(
                    "DELETE FROM outbox_sidecar.parked WHERE outbox = $1 AND position = ANY ($2)",
                    &[(&outbox.name, Type::TEXT), (&self.unparked, Type::INT8_ARRAY)],
                )
                .await
                .map_err(Error::database("take rows out of the parked ones"))?;
        }
        if !self.parked.is_empty() {
            self.park(transaction).await?;
        }
        if self.concerns_parked() || !self.dead.is_empty() {
            let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
            first_rows_go_next(transaction, &outbox.name, &keys).await?;
        }
        Ok(())
    }

    async fn park(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let outbox = self.outbox;
        let rows = Columns::of(self.parked.iter().map(|parked| (&parked.row, parked.attempts)));
        let retry_after: Vec<_> = self.parked.iter().map(|parked| parked.retry_after).collect();
        transaction
            .execute_typed(
                // A row that was parked and refused again takes its new count and time; one that is
                // read again behind its key, as after a cursor was set back, stays.
                "INSERT INTO outbox_sidecar.parked AS p
                     (outbox, position, bucket, key, message_id, attempts, reason, retry_at)
                 SELECT $1, r.place, r.bucket, r.of_key, r.id, r.attempts, r.reason,
                        clock_timestamp() + r.seconds * interval '1 second'
                 FROM unnest($2::int8[], $3::text[], $4::text[], $5::int4[], $6::text[], $7::float8[], $8::int4[])
                      AS r(place, of_key, id, attempts, reason, seconds, bucket)
                 ON CONFLICT (outbox, position) DO UPDATE
                 SET attempts = excluded.attempts, reason = excluded.reason, retry_at = excluded.retry_at
                 WHERE excluded.retry_at IS NOT NULL",
                &[
                    (&outbox.name, Type::TEXT),
                    (&rows.positions, Type::INT8_ARRAY),
                    (&rows.keys, Type::TEXT_ARRAY),
                    (&rows.ids, Type::TEXT_ARRAY),
                    (&rows.attempts, Type::INT4_ARRAY),
                    (&rows.reasons, Type::TEXT_ARRAY),
                    (&retry_after, Type::FLOAT8_ARRAY),
                    (&rows.buckets, Type::INT4_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("park rows"))?;
        Ok(())
    }

    async fn bury(&self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let outbox = self.outbox;
        let rows = Columns::of(self.dead.iter().map(|dead| (&dead.row, dead.attempts)));
        transaction
            .execute_typed(
                "INSERT INTO outbox_sidecar.dead_letter
                     (outbox, position, bucket, key, message_id, attempts, reason)
                 SELECT $1, r.place, r.bucket, r.of_key, r.id, r.attempts, r.reason
                 FROM unnest($2::int8[], $3::text[], $4::text[], $5::int4[], $6::text[], $7::int4[])
                      AS r(place, of_key, id, attempts, reason, bucket)
                 ON CONFLICT DO NOTHING",
                &[
                    (&outbox.name, Type::TEXT),
                    (&rows.positions, Type::INT8_ARRAY),
                    (&rows.keys, Type::TEXT_ARRAY),
                    (&rows.ids, Type::TEXT_ARRAY),
                    (&rows.attempts, Type::INT4_ARRAY),
                    (&rows.reasons, Type::TEXT_ARRAY),
                    (&rows.buckets, Type::INT4_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("store dead letters"))?;
        if outbox.poison.dead_letter_topic.is_none() {
            return Ok(());
        }
        transaction
            .execute_typed(
                "INSERT INTO outbox_sidecar.forward (side, name, id)
                 SELECT 'outbox', $1, unnest($2::int8[])::text ON CONFLICT DO NOTHING",
                &[(&outbox.name, Type::TEXT), (&rows.positions, Type::INT8_ARRAY)],
            )
            .await
            .map_err(Error::database("note dead letters for their topic"))?;
        Ok(())
    }
}

/// What both kinds of rows have, as one array for each column, as `unnest` takes it.
struct Columns<'a> {
    positions: Vec<Position>,
    buckets: Vec<i32>,
    keys: Vec<Option<&'a str>>,
    ids: Vec<Option<&'a str>>,
    attempts: Vec<i32>,
    reasons: Vec<Option<String>>,
}

impl<'a> Columns<'a> {
    /// Of rows, each with its attempts so far.
    fn of(rows: impl Iterator<Item = (&'a UnpublishedRow, u32)> + Clone) -> Self {
        let of_each = || rows.clone().map(|(row, _)| row);
        Self {
            positions: of_each().map(|row| row.position).collect(),
            buckets: of_each().map(|row| row.bucket).collect(),
            keys: of_each().map(|row| row.key.as_deref()).collect(),
            ids: of_each().map(|row| row.message_id.as_deref()).collect(),
            attempts: rows.clone().map(|(_, attempts)| stored(attempts)).collect(),
            reasons: of_each()
                .map(|row| row.refused.as_ref().map(|(_, reason)| text(reason)))
                .collect(),
        }
    }
}

/// PostgreSQL's text has no NUL.
fn text(reason: &str) -> String {
    reason.replace('\0', "")
}

fn stored(attempts: u32) -> i32 {
    i32::try_from(attempts).unwrap_or(i32::MAX)
}

/// Random enough to spread retries.
fn jitter() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}
