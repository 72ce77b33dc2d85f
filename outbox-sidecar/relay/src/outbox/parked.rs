//! Rows that wait, as rows of `outbox_sidecar.parked`.
//!
//! Only references are kept: the rows themselves stay in the outbox, where
//! retention passes them over. Of the parked rows of a key only the first has a
//! time at which it is tried again.

use deadpool_postgres::{Client, Transaction};
use outbox_sidecar_core::{config::Outbox, window::Position};
use tokio_postgres::types::Type;

use crate::error::Error;

/// Lets the first parked row of each key be tried at once, if it waited behind
/// another that is gone.
pub(super) async fn first_rows_go_next(
    transaction: &Transaction<'_>,
    outbox: &str,
    keys: &[&str],
) -> Result<(), Error> {
    transaction
        .execute_typed(
            "UPDATE outbox_sidecar.parked AS p SET retry_at = clock_timestamp()
             FROM unnest($2::text[]) AS k(key)
             CROSS JOIN LATERAL (
                 SELECT f.position FROM outbox_sidecar.parked AS f
                 WHERE f.outbox = $1 AND f.key_hash = hashtextextended(k.key, 0) AND f.key = k.key
                 ORDER BY f.position LIMIT 1) AS first
             WHERE p.outbox = $1 AND p.position = first.position AND p.retry_at IS NULL",
            &[(&outbox, Type::TEXT), (&keys, Type::TEXT_ARRAY)],
        )
        .await
        .map_err(Error::database("let the next parked rows go"))?;
    Ok(())
}

/// Parks dead letters anew, to be tried at once. Returns the positions of those
/// whose rows are still in the table.
///
/// # Errors
/// The database is away.
pub(crate) async fn revive(
    transaction: &Transaction<'_>,
    outbox: &Outbox,
    positions: &[Position],
) -> Result<Vec<Position>, Error> {
    let statement = format!(
        "INSERT INTO outbox_sidecar.parked (outbox, position, bucket, key, message_id, reason, retry_at)
         SELECT d.outbox, d.position, {bucket}, d.key, d.message_id, d.reason,
                CASE WHEN d.key IS NULL THEN clock_timestamp() END
         FROM outbox_sidecar.dead_letter AS d JOIN {table} AS o ON o.{position} = d.position
         WHERE d.outbox = $1 AND d.position = ANY ($2)
         ON CONFLICT DO NOTHING RETURNING position, key",
        bucket = bucket(outbox),
        table = outbox.table.quoted(),
        position = outbox.columns.position.quoted(),
    );
    let rows = transaction
        .query_typed(&statement, &[(&outbox.name, Type::TEXT), (&positions, Type::INT8_ARRAY)])
        .await
        .map_err(Error::database("park dead letters anew"))?;
    let keys: Vec<&str> = rows.iter().filter_map(|row| row.get(1)).collect();
    // Whichever was tried of these keys may be behind one of them now.
    transaction
        .execute_typed(
            "UPDATE outbox_sidecar.parked AS p SET retry_at = NULL FROM unnest($2::text[]) AS k(key)
             WHERE p.outbox = $1 AND p.key_hash = hashtextextended(k.key, 0) AND p.key = k.key
               AND p.retry_at IS NOT NULL",
            &[(&outbox.name, Type::TEXT), (&keys, Type::TEXT_ARRAY)],
        )
        .await
        .map_err(Error::database("let parked rows wait behind dead letters"))?;
    first_rows_go_next(transaction, &outbox.name, &keys).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Seconds until the first parked row of these buckets is to be tried; negative
/// if that is past, none if no row waits.
///
/// # Errors
/// The database is away.
pub async fn next_due(
    client: &Client,
    outbox: &str,
    buckets: &[i32],
) -> Result<Option<f64>, Error> {
    let due = client
        .query_typed(
            "SELECT extract(epoch FROM p.retry_at - clock_timestamp())::float8
             FROM outbox_sidecar.parked AS p
             WHERE p.outbox = $1 AND p.bucket = ANY ($2) AND p.retry_at IS NOT NULL
               AND NOT EXISTS (SELECT FROM outbox_sidecar.parked AS f
                               WHERE f.outbox = p.outbox AND f.key_hash = p.key_hash AND f.key = p.key
                                 AND f.position < p.position)
             ORDER BY p.retry_at LIMIT 1",
            &[(&outbox, Type::TEXT), (&buckets, Type::INT4_ARRAY)],
        )
        .await
        .map_err(Error::database("look for parked rows"))?;
    Ok(due.first().map(|row| row.get(0)))
}

/// What waits or died in some buckets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys that wait for their first row.
    pub keys: i64,
    /// Rows that wait, counted up to [`ROWS_COUNTED`].
    pub rows: i64,
    /// Dead letters nobody has decided on, counted up to [`ROWS_COUNTED`].
    pub dead: i64,
}

/// An exact number beyond it is worth less than the scan it costs.
pub const ROWS_COUNTED: i64 = 100_000;

/// Counts what waits or died in these buckets.
///
/// # Errors
/// The database is away.
pub async fn count(client: &Client, outbox: &str, buckets: &[i32]) -> Result<Counts, Error> {
    let row = client
        .query_typed_one(
            "SELECT (SELECT count(*) FROM outbox_sidecar.parked
                     WHERE outbox = $1 AND bucket = ANY ($2) AND retry_at IS NOT NULL),
                    (SELECT count(*) FROM (SELECT FROM outbox_sidecar.parked
                                           WHERE outbox = $1 AND bucket = ANY ($2) LIMIT $3) AS p),
                    (SELECT count(*) FROM (SELECT FROM outbox_sidecar.dead_letter
                                           WHERE outbox = $1 AND coalesce(bucket, 0) = ANY ($2) LIMIT $3) AS d)",
            &[(&outbox, Type::TEXT), (&buckets, Type::INT4_ARRAY), (&ROWS_COUNTED, Type::INT8)],
        )
        .await
        .map_err(Error::database("count parked rows"))?;
    Ok(Counts { keys: row.get(0), rows: row.get(1), dead: row.get(2) })
}

/// Forgets parked rows that are due and no longer in the table: somebody deleted
/// them. Rows behind them go on.
///
/// # Errors
/// The database is away.
pub async fn forget_deleted(
    client: &mut Client,
    outbox: &Outbox,
    buckets: &[i32],
) -> Result<(), Error> {
    let transaction = client.transaction().await.map_err(Error::database("begin a transaction"))?;
    let statement = format!(
        "DELETE FROM outbox_sidecar.parked AS p
         WHERE p.outbox = $1 AND p.bucket = ANY ($2) AND p.retry_at <= statement_timestamp()
           AND NOT EXISTS (SELECT FROM {table} AS o WHERE o.{position} = p.position)
         RETURNING p.position, p.key",
        table = outbox.table.quoted(),
        position = outbox.columns.position.quoted(),
    );
    let gone = transaction
        .query_typed(&statement, &[(&outbox.name, Type::TEXT), (&buckets, Type::INT4_ARRAY)])
        .await
        .map_err(Error::database("look for deleted rows"))?;
    let keys: Vec<&str> = gone.iter().filter_map(|row| row.get(1)).collect();
    for row in &gone {
        let (position, key) = (row.get::<_, i64>(0), row.get::<_, Option<&str>>(1));
        tracing::warn!(
            outbox = outbox.name,
            position,
            key,
            "a row that waited to be published was deleted from the table"
        );
    }
    first_rows_go_next(&transaction, &outbox.name, &keys).await?;
    transaction.commit().await.map_err(Error::database("forget deleted rows"))
}

/// The condition under which retention may take a row of the outbox `$1`.
pub fn not_waiting(outbox: &Outbox) -> String {
    let row = format!("{}.{}", outbox.table.quoted(), outbox.columns.position.quoted());
    ["parked", "dead_letter"]
        .map(|kept| {
            format!(
                "NOT EXISTS (SELECT FROM outbox_sidecar.{kept} AS kept WHERE kept.outbox = $1 AND kept.position = {row})"
            )
        })
        .join(" AND ")
}

/// The bucket of a row `o` of the table.
pub(super) fn bucket(outbox: &Outbox) -> String {
    if outbox.buckets > 1 {
        format!("o.{}::int4", outbox.columns.bucket.quoted())
    } else {
        "0".to_owned()
    }
}
