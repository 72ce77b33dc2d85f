//! Verifying the configured tables when a part starts.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{Outbox, StoredInbox},
    sql_name::TableName,
};
use tokio_postgres::types::Type;

use super::inspect::{Finding, OutboxTable, inspect_inbox, inspect_outbox};
use crate::error::Error;

/// Verifies that an outbox table is there and has what the engine reads.
///
/// # Errors
/// What is missing or has another type; or the database is away.
pub async fn check_outbox(client: &Client, outbox: &Outbox) -> Result<OutboxTable, Error> {
    let (table, findings) = inspect_outbox(client, outbox).await?;
    refuse(&outbox.table, findings)?;
    Ok(table)
}

/// Verifies that every row is in a bucket that somebody publishes. A generated
/// column and a configuration that disagree would pass rows over in silence.
///
/// # Errors
/// There is a row in another bucket, or in none; or the database is away.
pub async fn check_buckets(client: &Client, outbox: &Outbox) -> Result<(), Error> {
    match stray_row(client, outbox).await? {
        Some(problem) => Err(Error::Table(problem)),
        None => Ok(()),
    }
}

/// A row in a bucket that nobody publishes, if there is one.
pub(super) async fn stray_row(client: &Client, outbox: &Outbox) -> Result<Option<String>, Error> {
    let Some(bucket) = outbox.columns().bucket.filter(|_| outbox.buckets > 1) else {
        return Ok(None);
    };
    let (table, bucket) = (outbox.table.quoted(), bucket.quoted());
    let statement = format!(
        "SELECT {bucket}::text FROM {table} WHERE {bucket} < 0 OR {bucket} >= $1 OR {bucket} IS NULL LIMIT 1"
    );
    let stray = client
        .query_typed(&statement, &[(&i32::from(outbox.buckets), Type::INT4)])
        .await
        .map_err(Error::database("look for rows in other buckets"))?;
    Ok(stray.first().map(|row| {
        format!(
            "the table {} has a row in bucket {}, but with `buckets: {}` only 0 to {} are published",
            outbox.table,
            row.get::<_, Option<&str>>(0).unwrap_or("null"),
            outbox.buckets,
            outbox.buckets - 1,
        )
    }))
}

/// Verifies that an inbox table is there and has the columns of the contract.
///
/// # Errors
/// What is missing or has another type; or the database is away.
pub async fn check_inbox(client: &Client, inbox: &StoredInbox) -> Result<(), Error> {
    refuse(&inbox.table, inspect_inbox(client, inbox).await?)
}

fn refuse(table: &TableName, findings: Vec<Finding>) -> Result<(), Error> {
    let (fatal, advised): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.fatal);
    for finding in advised.iter().filter(|finding| first_time(table, finding)) {
        tracing::warn!(%table, problem = finding.problem, remedy = finding.remedy, "the table could serve better");
    }
    if fatal.is_empty() {
        return Ok(());
    }
    let joined = |text: fn(&Finding) -> &str, between| {
        fatal.iter().map(text).collect::<Vec<_>>().join(between)
    };
    let (problems, remedies) = (joined(|f| &f.problem, "; "), joined(|f| &f.remedy, " "));
    Err(Error::Table(if problems.starts_with("the table") {
        format!("{problems}. To make it: {remedies}")
    } else {
        format!("the table {table} is not usable: {problems}. To mend it: {remedies}")
    }))
}

/// Whether it has not been said yet: a part that starts anew finds it again.
fn first_time(table: &TableName, finding: &Finding) -> bool {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.insert(format!("{table}: {}", finding.problem))
}
