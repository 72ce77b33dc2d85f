//! What is in an outbox table that its configuration does not fit.

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    ddl::bucket_column,
    sql_name::literal,
};
use tokio_postgres::types::Type;

use super::Finding;
use crate::{database::table::stray_row, error::Error, outbox::buckets::change_of_buckets};

/// How many of the latest rows are looked at for UUIDs without a time in them.
const SAMPLE: i64 = 100;

/// Rows that would never be published, or in no order.
///
/// # Errors
/// The database is away, or the table is not as configured.
pub async fn inspect_rows(client: &Client, outbox: &Outbox) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    if let Some(problem) = stray_row(client, outbox).await? {
        let (table, bucket) =
            (outbox.table.quoted(), outbox.columns().bucket.map(|column| column.quoted()));
        let bucket = bucket.unwrap_or_default();
        findings.push(Finding::fatal(
            problem,
            format!(
                "ALTER TABLE {table} DROP COLUMN {bucket}, ADD COLUMN {bucket} {};\n\
                 and its indexes anew, or give `buckets` the number that the column is made with",
                bucket_column(outbox)
            ),
        ));
    }
    if outbox.engine() == Engine::Claim {
        findings.extend(unordered(client, outbox).await?);
    }
    Ok(findings)
}

/// Only a UUID of version 7 begins with the time.
async fn unordered(client: &Client, outbox: &Outbox) -> Result<Option<Finding>, Error> {
    let position = outbox.columns().position;
    let quoted = position.quoted();
    let statement = format!(
        "SELECT count(*) FROM (SELECT {quoted}::text AS position, pg_typeof({quoted})::text AS kind
                               FROM {} ORDER BY {quoted} DESC LIMIT {SAMPLE}) AS latest
         WHERE kind = 'uuid' AND substr(position, 15, 1) <> '7'",
        outbox.table.quoted()
    );
    let row = client
        .query_typed_one(&statement, &[])
        .await
        .map_err(Error::database("look at the order of rows"))?;
    Ok((row.get::<_, i64>(0) > 0).then(|| {
        Finding::fatal(
            format!("`{position}` holds UUIDs that are not of version 7, and these have no order"),
            format!(
                "ALTER TABLE {} ADD COLUMN position bigint GENERATED ALWAYS AS IDENTITY;\n\
                 and `columns.position: position`",
                outbox.table.quoted()
            ),
        )
    }))
}

/// Whether the outbox has been published in as many buckets as are configured.
///
/// # Errors
/// The database is away.
pub async fn inspect_cursors(client: &Client, outbox: &Outbox) -> Result<Option<Finding>, Error> {
    let present = client
        .query_typed_one(
            // By the catalog: a name in a schema that may not be used is an error.
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                            WHERE n.nspname = 'outbox_sidecar' AND c.relname = 'cursor'
                              AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))",
            &[],
        )
        .await
        .map_err(Error::database("look for the cursors"))?;
    if !present.get::<_, bool>(0) {
        return Ok(None);
    }
    let row = client
        .query_typed_one(
            "SELECT count(*) FROM outbox_sidecar.cursor WHERE outbox = $1",
            &[(&outbox.name, Type::TEXT)],
        )
        .await
        .map_err(Error::database("count the cursors"))?;
    let existing: i64 = row.get(0);
    if existing == 0 || existing == i64::from(outbox.buckets) {
        return Ok(None);
    }
    let column = outbox.columns().bucket.filter(|_| outbox.buckets > 1).map(|bucket| {
        let bucket = bucket.quoted();
        format!(
            "ALTER TABLE {} DROP COLUMN {bucket}, ADD COLUMN {bucket} {};\n",
            outbox.table.quoted(),
            bucket_column(outbox)
        )
    });
    Ok(Some(Finding::fatal(
        format!(
            "the outbox has been published in {existing} buckets, and `buckets` is {}",
            outbox.buckets
        ),
        format!(
            "stop all its sidecars, then in one transaction:\n{}{}",
            column.unwrap_or_default(),
            change_of_buckets(&literal(&outbox.name), existing, outbox.buckets)
        ),
    )))
}
