//! Looking at the configured tables before relying on them.

use std::collections::HashMap;

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{Inbox, Outbox},
    sql_name::TableName,
};
use tokio_postgres::types::Type;

use crate::error::Error;

/// The columns of an inbox and the types they may have.
const INBOX_COLUMNS: [(&str, &[&str]); 13] = [
    ("message_id", &["uuid"]),
    ("topic", &["text", "varchar"]),
    ("partition", &["int4"]),
    ("kafka_offset", &["int8"]),
    ("key", &["bytea"]),
    ("type", &["text", "varchar"]),
    ("payload", &["bytea"]),
    ("headers", &["jsonb"]),
    ("received_at", &["timestamptz"]),
    ("processed_at", &["timestamptz"]),
    ("attempts", &["int4"]),
    ("last_error", &["text"]),
    ("dead_at", &["timestamptz"]),
];

/// Verifies that an outbox table is there and has what the engine reads.
///
/// # Errors
/// What is missing or has another type; or the database is away.
pub async fn check_outbox(client: &Client, outbox: &Outbox) -> Result<(), Error> {
    let present = columns(client, &outbox.table).await?;
    let columns = &outbox.columns;
    let any: &[&str] = &[];
    let mut needed = vec![
        (columns.position.as_str(), &["int8", "int4"][..]),
        (columns.xid.as_str(), &["xid8"]),
        (columns.id.as_str(), any),
        (columns.key.as_str(), any),
        (columns.event_type.as_str(), any),
        (columns.payload.as_str(), &["jsonb", "json", "text", "varchar", "bytea"]),
        (columns.headers.as_str(), &["jsonb", "json"]),
        (columns.created_at.as_str(), &["timestamptz"]),
    ];
    if outbox.buckets > 1 {
        needed.push((columns.bucket.as_str(), &["int2", "int4", "int8"]));
    }
    needed.extend(outbox.topic.columns().map(|column| (column.as_str(), any)));
    compare(&outbox.table, &present, &needed)
}

/// Verifies that every row is in a bucket that somebody publishes. A generated
/// column and a configuration that disagree would pass rows over in silence.
///
/// # Errors
/// There is a row in another bucket, or in none; or the database is away.
pub async fn check_buckets(client: &Client, outbox: &Outbox) -> Result<(), Error> {
    if outbox.buckets == 1 {
        return Ok(());
    }
    let (table, bucket) = (outbox.table.quoted(), outbox.columns.bucket.quoted());
    let statement = format!(
        "SELECT {bucket}::text FROM {table} WHERE {bucket} < 0 OR {bucket} >= $1 OR {bucket} IS NULL LIMIT 1"
    );
    let stray = client
        .query_typed(&statement, &[(&i32::from(outbox.buckets), Type::INT4)])
        .await
        .map_err(Error::database("look for rows in other buckets"))?;
    let Some(row) = stray.first() else { return Ok(()) };
    Err(Error::Table(format!(
        "the table {} has a row in bucket {}, but with `buckets: {}` only 0 to {} are published",
        outbox.table,
        row.get::<_, Option<&str>>(0).unwrap_or("null"),
        outbox.buckets,
        outbox.buckets - 1,
    )))
}

/// Verifies that an inbox table is there and has the columns of the contract.
///
/// # Errors
/// What is missing or has another type; or the database is away.
pub async fn check_inbox(client: &Client, inbox: &Inbox) -> Result<(), Error> {
    let present = columns(client, &inbox.table).await?;
    compare(&inbox.table, &present, &INBOX_COLUMNS)
}

async fn columns(client: &Client, table: &TableName) -> Result<HashMap<String, String>, Error> {
    let rows = client
        .query_typed(
            "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
            &[(&table.quoted(), Type::TEXT)],
        )
        .await
        .map_err(Error::database("look at the table's columns"))?;
    if rows.is_empty() {
        return Err(Error::Table(format!(
            "the table {table} does not exist yet, or may not be seen by this user"
        )));
    }
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

fn compare(
    table: &TableName,
    present: &HashMap<String, String>,
    needed: &[(&str, &[&str])],
) -> Result<(), Error> {
    let problems: Vec<_> = needed
        .iter()
        .filter_map(|(column, types)| match present.get(*column) {
            None => Some(format!("column `{column}` is missing")),
            Some(actual) if !types.is_empty() && !types.contains(&actual.as_str()) => {
                Some(format!("column `{column}` is {actual}, not {}", types.join(" or ")))
            }
            Some(_) => None,
        })
        .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Table(format!("the table {table} is not usable: {}", problems.join("; "))))
    }
}
