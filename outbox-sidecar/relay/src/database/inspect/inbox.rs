//! What the ingest and the delivery need of an inbox table.

use deadpool_postgres::Client;
use outbox_sidecar_core::config::StoredInbox;

use super::{Finding, catalog::Catalog};
use crate::error::Error;

/// The columns of an inbox, the types they may have, and how they are added.
const COLUMNS: [(&str, &[&str], &str); 13] = [
    ("message_id", &["uuid"], "uuid PRIMARY KEY"),
    ("topic", &["text", "varchar"], "text NOT NULL"),
    ("partition", &["int4"], "integer NOT NULL"),
    ("kafka_offset", &["int8"], "bigint NOT NULL"),
    ("key", &["bytea"], "bytea"),
    ("type", &["text", "varchar"], "text"),
    ("payload", &["bytea"], "bytea"),
    ("headers", &["jsonb"], "jsonb NOT NULL DEFAULT '{}'"),
    ("received_at", &["timestamptz"], "timestamptz NOT NULL DEFAULT clock_timestamp()"),
    ("processed_at", &["timestamptz"], "timestamptz"),
    ("attempts", &["int4"], "integer NOT NULL DEFAULT 0"),
    ("last_error", &["text"], "text"),
    ("dead_at", &["timestamptz"], "timestamptz"),
];

/// Everything that an inbox table lacks.
///
/// # Errors
/// The database is away.
pub async fn inspect_inbox(client: &Client, inbox: &StoredInbox) -> Result<Vec<Finding>, Error> {
    let Some(table) = Catalog::of(client, &inbox.table).await? else {
        let command = format!("outbox-sidecar init --inbox {}", inbox.table);
        return Ok(vec![Catalog::absent(&inbox.table, &command)]);
    };
    let quoted = |name: &str| format!("\"{name}\"");
    let mut findings: Vec<Finding> = COLUMNS
        .iter()
        .filter_map(|(name, types, definition)| {
            table.column_problem(name, &quoted(name), types, definition)
        })
        .collect();
    let name = inbox.table.quoted();
    if table.column("message_id").is_some() && !table.has_index(&["message_id"], true) {
        findings.push(Finding::fatal(
            "column `message_id` has no unique index, so a message would be stored twice",
            format!("ALTER TABLE {name} ADD PRIMARY KEY (message_id);"),
        ));
    }
    let pending = ["topic", "partition", "kafka_offset"];
    if pending.iter().all(|column| table.column(column).is_some())
        && !table.has_index(&pending, false)
    {
        findings.push(Finding::advised(
            "no index on (topic, partition, kafka_offset) of the messages that wait",
            format!(
                "CREATE INDEX ON {name} (topic, partition, kafka_offset) WHERE processed_at IS NULL AND dead_at IS NULL;"
            ),
        ));
    }
    findings.extend(table.privilege_problem(&["SELECT", "INSERT", "UPDATE"], "to store messages"));
    let old = table.privilege_problem(&["DELETE"], "to delete old messages");
    findings.extend(old.map(Finding::not_fatal));
    Ok(findings)
}
