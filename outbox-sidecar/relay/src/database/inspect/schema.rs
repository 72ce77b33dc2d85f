//! Whether the sidecar can keep its own tables.

use deadpool_postgres::Client;

use super::Finding;
use crate::error::Error;

/// What keeps the sidecar from making or using its schema.
///
/// # Errors
/// The database is away.
pub async fn inspect_schema(client: &Client) -> Result<Vec<Finding>, Error> {
    let row = client
        .query_typed_one(
            "SELECT quote_ident(current_user), quote_ident(current_database()), own.oid IS NOT NULL,
                    CASE WHEN own.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                         ELSE has_schema_privilege(own.oid, 'USAGE') AND has_schema_privilege(own.oid, 'CREATE') END,
                    EXISTS (SELECT FROM pg_class c
                            WHERE c.relnamespace = own.oid AND c.relkind IN ('r', 'p')
                              AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                                       AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')))
             FROM (SELECT to_regnamespace('outbox_sidecar')::oid AS oid) AS own",
            &[],
        )
        .await
        .map_err(Error::database("look at the schema `outbox_sidecar`"))?;
    let (user, database): (&str, &str) = (row.get(0), row.get(1));
    let (exists, usable, closed): (bool, bool, bool) = (row.get(2), row.get(3), row.get(4));
    let mut findings = Vec::new();
    if !usable && exists {
        findings.push(Finding::fatal(
            format!("the user {user} may not use the schema outbox_sidecar"),
            format!("GRANT USAGE, CREATE ON SCHEMA outbox_sidecar TO {user};"),
        ));
    } else if !usable {
        findings.push(Finding::fatal(
            format!("the schema outbox_sidecar does not exist, and the user {user} may not create it in {database}"),
            format!("CREATE SCHEMA outbox_sidecar AUTHORIZATION {user};"),
        ));
    }
    if closed {
        findings.push(Finding::fatal(
            format!("the user {user} may not use all tables of the schema outbox_sidecar"),
            format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA outbox_sidecar TO {user};"
            ),
        ));
    }
    Ok(findings)
}
