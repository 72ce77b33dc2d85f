//! The SQL of leases. `$1` is the outbox, `$2` the relay, `$3` the lease time in
//! milliseconds, unless said otherwise.

use std::time::Duration;

use outbox_sidecar_core::{share::RelayId, window::Position};
use tokio_postgres::types::{ToSql, Type};

use crate::error::Error;

/// Ends the transaction, and with it its locks, when the relay stands still in it
/// for longer than a lease: otherwise no other could take the buckets.
pub(super) fn rest_no_longer_than(lease: Duration) -> String {
    format!("SET LOCAL idle_in_transaction_session_timeout = {}", lease.as_millis())
}

/// Makes the cursors of an outbox that has none. `$2`: a snapshot; `$3`: how many.
pub(super) const MAKE_CURSORS: &str = "
    INSERT INTO outbox_sidecar.cursor (outbox, bucket, published)
    SELECT $1, bucket, $2::pg_snapshot FROM generate_series(0, $3 - 1) AS bucket
    WHERE NOT EXISTS (SELECT FROM outbox_sidecar.cursor WHERE outbox = $1)
    ON CONFLICT DO NOTHING";

/// Says that the relay lives, renews what it holds, and returns all leases with
/// the other live relays: one statement, since all relays send it all the time.
///
/// `renewed` comes from the update and so is certain; what else is said of a
/// bucket is from a moment before. Locked rows of dead relays are left to whoever
/// locked them.
pub(super) const RENEW: &str = "
    WITH alive AS (
        INSERT INTO outbox_sidecar.relay (outbox, relay, expires_at)
        VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
        ON CONFLICT (outbox, relay) DO UPDATE SET expires_at = excluded.expires_at
    ), gone AS (
        DELETE FROM outbox_sidecar.relay WHERE outbox = $1 AND relay = ANY (ARRAY(
            SELECT relay FROM outbox_sidecar.relay
            WHERE outbox = $1 AND relay <> $2 AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED))
    ), renewed AS (
        UPDATE outbox_sidecar.cursor SET expires_at = clock_timestamp() + $3 * interval '1 millisecond'
        WHERE outbox = $1 AND owner = $2
        RETURNING bucket, epoch, expires_at, published, window_until, window_after
    )
    SELECT c.bucket, c.owner, coalesce(r.epoch, c.epoch) AS epoch, coalesce(r.expires_at, c.expires_at) AS expires_at,
           coalesce(c.expires_at < clock_timestamp(), false) AS expired, r.bucket IS NOT NULL AS renewed,
           r.published::text, r.window_until::text, r.window_after,
           (SELECT array_agg(relay) FROM outbox_sidecar.relay
            WHERE outbox = $1 AND relay <> $2 AND expires_at >= clock_timestamp()) AS relays
    FROM outbox_sidecar.cursor AS c LEFT JOIN renewed AS r ON r.bucket = c.bucket
    WHERE c.outbox = $1 ORDER BY c.bucket";

/// Takes those of the buckets `$4` that nobody holds. A row that is locked is
/// being taken by another relay, and not worth waiting for.
pub(super) const TAKE: &str = "
    UPDATE outbox_sidecar.cursor AS c
    SET owner = $2, expires_at = clock_timestamp() + $3 * interval '1 millisecond', epoch = c.epoch + 1
    FROM (SELECT bucket FROM outbox_sidecar.cursor
          WHERE outbox = $1 AND bucket = ANY($4) AND (owner IS NULL OR expires_at < clock_timestamp())
          ORDER BY bucket FOR UPDATE SKIP LOCKED) AS free
    WHERE c.outbox = $1 AND c.bucket = free.bucket
    RETURNING c.bucket, c.epoch, c.expires_at, c.published::text, c.window_until::text, c.window_after";

/// Gives the buckets `$3` to whoever takes them.
pub(super) const HAND_BACK: &str = "
    UPDATE outbox_sidecar.cursor SET owner = NULL, expires_at = NULL
    WHERE outbox = $1 AND owner = $2 AND bucket = ANY($3)";

/// Gives everything back, and the relay is no more.
pub(super) const RELEASE: &str = "
    WITH gone AS (DELETE FROM outbox_sidecar.relay WHERE outbox = $1 AND relay = $2)
    UPDATE outbox_sidecar.cursor SET owner = NULL, expires_at = NULL WHERE outbox = $1 AND owner = $2";

/// Stores a cursor (`$3` to `$5`) in buckets (`$7`) that the relay still holds in
/// the epochs `$8`, and renews their leases by `$6` milliseconds.
pub(super) const ADVANCE: &str = "
    UPDATE outbox_sidecar.cursor AS c
    SET published = $3::pg_snapshot, window_until = $4::pg_snapshot, window_after = $5,
        expires_at = clock_timestamp() + $6 * interval '1 millisecond', updated_at = clock_timestamp()
    FROM unnest($7::int4[], $8::int8[]) AS mine(bucket, epoch)
    WHERE c.outbox = $1 AND c.owner = $2 AND c.bucket = mine.bucket AND c.epoch = mine.epoch";

/// Within [`advance_and`]: whether the relay still holds all of the lane's buckets.
pub const STORED_EVERYWHERE: &str = "(SELECT count(*) FROM advanced) = cardinality($7::int4[])";

/// [`ADVANCE`] that returns in how many buckets it stored the cursor, with another
/// statement in the same one.
pub(super) fn advance_and(other: &str) -> String {
    format!(
        "WITH advanced AS ({ADVANCE} RETURNING 1), other AS ({other}) SELECT count(*) FROM advanced"
    )
}

/// The values of [`ADVANCE`].
pub(super) struct Advance {
    pub(super) outbox: String,
    pub(super) owner: RelayId,
    pub(super) published: String,
    pub(super) until: Option<String>,
    pub(super) after: Option<Position>,
    pub(super) lease: f64,
    pub(super) buckets: Vec<i32>,
    pub(super) epochs: Vec<i64>,
}

impl Advance {
    pub(super) fn parameters(&self) -> [(&(dyn ToSql + Sync), Type); 8] {
        [
            (&self.outbox, Type::TEXT),
            (&self.owner, Type::UUID),
            (&self.published, Type::TEXT),
            (&self.until, Type::TEXT),
            (&self.after, Type::INT8),
            (&self.lease, Type::FLOAT8),
            (&self.buckets, Type::INT4_ARRAY),
            (&self.epochs, Type::INT8_ARRAY),
        ]
    }

    /// So many rows were written; fewer than asked for are a lost lease.
    pub(super) fn check(&self, written: u64) -> Result<(), Error> {
        if usize::try_from(written) == Ok(self.buckets.len()) {
            return Ok(());
        }
        Err(Error::LeaseLost { outbox: self.outbox.clone() })
    }
}
