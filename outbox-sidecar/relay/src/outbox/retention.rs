//! Removing rows published long ago, in small batches outside the hot path.

use deadpool_postgres::Pool;
use outbox_sidecar_core::{
    config::{Engine, OnPublished, Outbox},
    snapshot::Snapshot,
    sql_name::{TableName, literal},
    window::Position,
};
use tokio_postgres::types::Type;

use super::{parked::not_waiting, reader::carried};
use crate::error::Error;

/// Rows per statement: short transactions, little to hold up vacuum.
const BATCH: i64 = 1_000;

/// Deletes one batch of rows that are published and older than the retention,
/// from the outbox's table or a partition of it. Returns how many, and whether
/// there may be more. Any replica may do this at any time.
///
/// # Errors
/// The database is away.
pub async fn purge_outbox(
    pool: &Pool,
    outbox: &Outbox,
    table: &TableName,
) -> Result<(u64, bool), Error> {
    let statement = match outbox.engine() {
        Engine::Append => by_cursor(outbox, table),
        Engine::Claim => marked(outbox, table),
    };
    let Some(statement) = statement else { return Ok((0, false)) };
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

/// Rows that every bucket has passed; none, if the table does not tell their age.
fn by_cursor(outbox: &Outbox, table: &TableName) -> Option<String> {
    let columns = outbox.columns();
    let created_at = columns.created_at.as_ref()?;
    Some(format!(
        // Only the front of the table is looked at: rows stand there by age, so
        // that a pass costs the same however many rows are retained. Parked rows and
        // dead letters stay until they are published or somebody has decided.
        "DELETE FROM {table} WHERE {position} = ANY (ARRAY(
             SELECT {position} FROM (
                 SELECT {position}, {created_at}, {passed} AS passed FROM {table}
                 WHERE {not_waiting} ORDER BY {position} LIMIT $3
             ) AS front
             WHERE {created_at} < clock_timestamp() - $2 * interval '1 second' AND passed))",
        table = table.quoted(),
        created_at = created_at.quoted(),
        position = columns.position.quoted(),
        passed = passed(outbox),
        not_waiting = not_waiting(&format!("{}.{}", table.quoted(), columns.position.quoted())),
    ))
}

/// Whether every bucket has passed a row, with the outbox's name as `$1`.
///
/// A row's age would not do: a transaction that stayed open for longer than the
/// retention commits rows that are old before anyone saw them. Rows that a
/// restore carried over were seen by the first window after it.
pub(super) fn passed(outbox: &Outbox) -> String {
    let columns = outbox.columns();
    format!(
        "({xid} < (SELECT min(pg_snapshot_xmin(published)::text::numeric)::text::xid8
                   FROM outbox_sidecar.cursor WHERE outbox = $1)
          OR {position} <= coalesce((SELECT restored_until FROM outbox_sidecar.origin WHERE outbox = $1), {never})
             AND {carried}
             AND NOT EXISTS (SELECT FROM outbox_sidecar.cursor
                             WHERE outbox = $1 AND published::text = '{nothing}'))",
        xid = columns.xid.quoted(),
        position = columns.position.quoted(),
        carried = carried(outbox, "xmin"),
        never = format_args!("'{}'::int8", Position::MIN),
        nothing = Snapshot::nothing(),
    )
}

/// Rows that are marked as published; none, if they are deleted at once or the
/// table does not tell their age.
fn marked(outbox: &Outbox, table: &TableName) -> Option<String> {
    let (columns, claim) = (outbox.columns(), outbox.claim());
    if claim.on_published == OnPublished::Delete {
        return None;
    }
    let since = claim.published_at.as_ref().or(columns.created_at.as_ref())?.quoted();
    let id = columns.id.as_ref()?.quoted();
    let published = claim.status.as_ref().map_or_else(String::new, |status| {
        format!(" AND {} = {}", status.column.quoted(), literal(&status.published))
    });
    let table = table.quoted();
    Some(format!(
        "DELETE FROM {table} WHERE {id} = ANY (ARRAY(
             SELECT {id} FROM {table}
             WHERE $1::text IS NOT NULL AND {since} < clock_timestamp() - $2 * interval '1 second'{published}
             ORDER BY {since} LIMIT $3))"
    ))
}
