//! Rows that wait, as rows of `outbox_sidecar.parked`.
//!
//! Only references are kept: the rows themselves stay in the outbox, where
//! retention passes them over. Of the parked rows of a key only the first has a
//! time at which it is tried again. With the `claim` engine it is the only one:
//! rows behind it are not published, and that is all there is to know of them.

use deadpool_postgres::{Client, Transaction};
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    record::Mapping,
    window::Position,
};
use postgres_types::{ToSql, Type};

use super::{
    lease::Lane,
    reader::Chunk,
    row::{Known, bucket, select_list},
};
use crate::error::Error;

/// The expression for whether a row of the outbox has to wait behind a parked one
/// of its key: `row` is the table's name in the statement, `outbox_name` the
/// parameter for the outbox's.
pub(super) fn waits(outbox: &Outbox, row: &str, outbox_name: &str) -> String {
    waits_or_is_parked(outbox, row, outbox_name, "NULL::int8")
}

/// The same, and whether the row is itself parked, as one without a key may be;
/// `position` is the expression for what tells it from the others.
///
/// Rows are looked at one by one only while the outbox has parked rows at all. That
/// is in a function, whose cost is stated: with what a subquery for each row is
/// estimated to cost, the planner would compile the statement at every execution.
pub(super) fn waits_or_is_parked(
    outbox: &Outbox,
    row: &str,
    outbox_name: &str,
    position: &str,
) -> String {
    format!(
        "CASE WHEN (SELECT EXISTS (SELECT FROM outbox_sidecar.parked AS p WHERE p.outbox = {outbox_name}))
              THEN outbox_sidecar.waits({outbox_name}, {row}.{key}::text, {position}) ELSE false END",
        key = outbox.columns().key.quoted(),
    )
}

/// The parked rows of the outbox `$1` and the buckets `$2` that are due, `$3` at
/// most: the first of its key each.
const DUE: &str = "
    SELECT p.position AS parked_position, p.message_id AS parked_id, p.attempts AS parked_attempts,
           p.retry_at AS parked_due, p.key AS parked_key, p.key_hash AS parked_hash
    FROM outbox_sidecar.parked AS p
    WHERE p.outbox = $1 AND p.bucket = ANY ($2) AND p.retry_at <= statement_timestamp()
      AND NOT EXISTS (SELECT FROM outbox_sidecar.parked AS f
                      WHERE f.outbox = p.outbox AND f.key_hash = p.key_hash AND f.key = p.key
                        AND f.position < p.position)
    ORDER BY p.retry_at LIMIT $3";

/// The statement that reads parked rows that are due. Its parameters are those of
/// [`read`].
pub(super) fn due(outbox: &Outbox, mapping: &Mapping, position: &str, same_row: &str) -> String {
    format!(
        "WITH due AS ({DUE})
         SELECT NULL::text, {list} FROM due JOIN {table} AS o ON {same_row}
         ORDER BY parked_due, parked_position",
        list = list(outbox, mapping, position),
        table = outbox.table.quoted(),
    )
}

/// The same, and the rows behind one that was itself behind another that is gone.
pub(super) fn due_with_those_behind(
    outbox: &Outbox,
    mapping: &Mapping,
    position: &str,
    same_row: &str,
) -> String {
    format!(
        "WITH due AS ({DUE}), parked_rows AS (
             SELECT parked_due, due.parked_position AS parked_first, r.* FROM due
             CROSS JOIN LATERAL (
                 SELECT due.parked_position, due.parked_attempts
                 UNION ALL
                 (SELECT p.position, p.attempts FROM outbox_sidecar.parked AS p
                  WHERE due.parked_attempts = 0 AND p.outbox = $1 AND p.key_hash = due.parked_hash
                    AND p.key = due.parked_key AND p.position > due.parked_position
                  ORDER BY p.position LIMIT $3)) AS r (parked_position, parked_attempts)
             ORDER BY parked_due, parked_first, parked_position LIMIT $3)
         SELECT NULL::text, {list} FROM parked_rows JOIN {table} AS o ON {same_row}
         ORDER BY parked_due, parked_first, parked_position",
        list = list(outbox, mapping, position),
        table = outbox.table.quoted(),
    )
}

fn list(outbox: &Outbox, mapping: &Mapping, position: &str) -> String {
    let known = Known { position, waits: "false", attempts: "parked_attempts" };
    select_list(outbox, mapping, &known)
}

/// Starts reading with such a statement.
pub(super) async fn read(
    client: &Client,
    statement: &str,
    outbox: &str,
    lane: &Lane,
    limit: usize,
) -> Result<Chunk, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&outbox, Type::TEXT), (&lane.buckets, Type::INT4_ARRAY), (&limit, Type::INT8)];
    let rows = client
        .query_typed_raw(statement, parameters)
        .await
        .map_err(Error::database("read parked rows"))?;
    Ok(Chunk::of(rows))
}

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
    let bucket = bucket(outbox);
    let statement = format!(
        "INSERT INTO outbox_sidecar.parked (outbox, position, bucket, key, message_id, reason, retry_at)
         SELECT d.outbox, d.position, own.bucket, d.key, d.message_id, d.reason,
                CASE WHEN d.key IS NULL THEN clock_timestamp() END
         FROM outbox_sidecar.dead_letter AS d
         CROSS JOIN LATERAL (SELECT {bucket} AS bucket FROM {table} AS o WHERE {same_row} LIMIT 1) AS own
         WHERE d.outbox = $1 AND d.position = ANY ($2)
         ON CONFLICT DO NOTHING RETURNING position, key",
        table = outbox.table.quoted(),
        same_row = row_of_dead_letter(outbox),
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
    same_row: &str,
) -> Result<(), Error> {
    let transaction = client.transaction().await.map_err(Error::database("begin a transaction"))?;
    let statement = format!(
        "DELETE FROM outbox_sidecar.parked AS p
         USING (SELECT position AS parked_position, message_id AS parked_id FROM outbox_sidecar.parked
                WHERE outbox = $1 AND bucket = ANY ($2) AND retry_at <= statement_timestamp()) AS due
         WHERE p.outbox = $1 AND p.position = parked_position
           AND NOT EXISTS (SELECT FROM {table} AS o WHERE {same_row})
         RETURNING p.position, p.key",
        table = outbox.table.quoted(),
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

/// The condition that a row of the outbox `$1` is neither parked nor a dead letter.
/// `position` is the expression for its position.
pub(crate) fn not_waiting(position: &str) -> String {
    ["parked", "dead_letter"]
        .map(|kept| {
            format!(
                "NOT EXISTS (SELECT FROM outbox_sidecar.{kept} AS kept
                             WHERE kept.outbox = $1 AND kept.position = {position})"
            )
        })
        .join(" AND ")
}

/// The condition that a row `o` of the table is that of a dead letter `d`.
pub(crate) fn row_of_dead_letter(outbox: &Outbox) -> String {
    let columns = outbox.columns();
    match (outbox.engine(), &columns.id) {
        // The order of a table of others need not be a number.
        (Engine::Claim, Some(id)) => format!("o.{}::text = d.message_id", id.quoted()),
        _ => format!("o.{} = d.position", columns.position.quoted()),
    }
}
