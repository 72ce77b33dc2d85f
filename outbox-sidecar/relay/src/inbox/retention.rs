//! Removing messages applied long ago, in small batches outside the hot path.

use deadpool_postgres::Pool;
use outbox_sidecar_core::config::StoredInbox;
use tokio_postgres::types::Type;

use crate::error::Error;

/// Rows per statement: short transactions, little to hold up vacuum.
const BATCH: i64 = 1_000;

/// Deletes one batch of messages applied longer ago than the retention; dead
/// ones stay until somebody decides. Returns how many, and whether there are
/// more.
///
/// # Errors
/// The database is away.
pub async fn purge_inbox(pool: &Pool, inbox: &StoredInbox) -> Result<(u64, bool), Error> {
    let statement = format!(
        "DELETE FROM {table} WHERE message_id = ANY (ARRAY(
             SELECT message_id FROM {table}
             -- Follows from the next line; a BRIN index on received_at makes it cheap.
             WHERE received_at < clock_timestamp() - $1 * interval '1 second'
               AND processed_at < clock_timestamp() - $1 * interval '1 second'
             LIMIT $2 FOR UPDATE SKIP LOCKED))",
        table = inbox.table.quoted(),
    );
    let client = pool.get().await?;
    let deleted = client
        .execute_typed(
            &statement,
            &[(&inbox.retention.get().as_secs_f64(), Type::FLOAT8), (&BATCH, Type::INT8)],
        )
        .await
        .map_err(Error::database("delete applied messages"))?;
    Ok((deleted, i64::try_from(deleted).unwrap_or(i64::MAX) >= BATCH))
}
