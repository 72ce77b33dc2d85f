//! Removing rows published long ago, in small batches outside the hot path.

use deadpool_postgres::Pool;
use outbox_sidecar_core::config::Outbox;
use tokio_postgres::types::Type;

use super::parked::not_waiting;
use crate::error::Error;

/// Rows per statement: short transactions, little to hold up vacuum.
const BATCH: i64 = 1_000;

/// Deletes one batch of rows that every bucket has passed and that are older
/// than the retention. Returns how many, and whether there may be more. Any
/// replica may do this at any time.
///
/// # Errors
/// The database is away.
pub async fn purge_outbox(pool: &Pool, outbox: &Outbox) -> Result<(u64, bool), Error> {
    let columns = &outbox.columns;
    let statement = format!(
        // Only the front of the table is looked at: rows stand there by age, so
        // that a pass costs the same however many rows are retained.
        //
        // Age alone would not do: a transaction that stayed open for longer than
        // the retention commits rows that are old before anyone saw them. Parked rows
        // and dead letters stay until they are published or somebody has decided.
        "DELETE FROM {table} WHERE {position} = ANY (ARRAY(
             SELECT {position} FROM (
                 SELECT {position}, {created_at}, {xid} FROM {table} WHERE {not_waiting}
                 ORDER BY {position} LIMIT $3
             ) AS front
             WHERE {created_at} < clock_timestamp() - $2 * interval '1 second'
               AND {xid} < (SELECT min(pg_snapshot_xmin(published)::text::numeric)::text::xid8
                            FROM outbox_sidecar.cursor WHERE outbox = $1)))",
        table = outbox.table.quoted(),
        created_at = columns.created_at.quoted(),
        xid = columns.xid.quoted(),
        position = columns.position.quoted(),
        not_waiting = not_waiting(outbox),
    );
    let client = pool.get().await?;
    let deleted = client
        .execute_typed(
            &statement,
            &[
                (&outbox.name, Type::TEXT),
                (&outbox.retention.get().as_secs_f64(), Type::FLOAT8),
                (&BATCH, Type::INT8),
            ],
        )
        .await
        .map_err(Error::database("delete published rows"))?;
    Ok((deleted, i64::try_from(deleted).unwrap_or(i64::MAX) >= BATCH))
}
