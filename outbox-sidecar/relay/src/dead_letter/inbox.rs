//! Messages of an inbox that cannot be applied: rows with `dead_at`, until they
//! are processed after all or settled by a person.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use deadpool_postgres::{Client, Transaction};
use outbox_sidecar_core::{
    config,
    dead_letter::{DeadLetter, Filter, Origin, Place, Side},
    event,
};
use serde_json::{Value, json};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Decision, Outcome, attempts, forward::Record};
use crate::error::Error;

pub(super) async fn list(
    client: &Client,
    inbox: &config::StoredInbox,
    filter: &Filter,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let (topic, partition, offset) = match after {
        Some(Place::Inbox { topic, partition, offset, .. }) => {
            (topic.as_str(), *partition, *offset)
        }
        _ => ("", i32::MIN, i64::MIN),
    };
    let statement = format!(
        "SELECT message_id, key, topic, partition, kafka_offset, attempts, coalesce(last_error, ''), dead_at
         FROM {table}
         WHERE dead_at IS NOT NULL AND processed_at IS NULL AND (topic, partition, kafka_offset) > ($1, $2, $3)
           AND ($4::bytea IS NULL OR key = $4) AND ($5::text IS NULL OR message_id::text = $5)
         ORDER BY topic, partition, kafka_offset LIMIT $6",
        table = inbox.table.quoted(),
    );
    let rows = client
        .query_typed(
            &statement,
            &[
                (&topic, Type::TEXT),
                (&partition, Type::INT4),
                (&offset, Type::INT8),
                (&filter.key.as_deref().map(str::as_bytes), Type::BYTEA),
                (&filter.id, Type::TEXT),
                (&limit, Type::INT8),
            ],
        )
        .await
        .map_err(Error::database("list dead letters"))?;
    Ok(rows
        .iter()
        .map(|row| {
            let id = row.get::<_, Uuid>(0).to_string();
            DeadLetter {
                side: Side::Inbox,
                name: inbox.name.clone(),
                message_id: Some(id.clone()),
                id,
                key: row
                    .get::<_, Option<&[u8]>>(1)
                    .map(|key| String::from_utf8_lossy(key).into_owned()),
                origin: Some(Origin {
                    topic: row.get(2),
                    partition: row.get(3),
                    offset: row.get(4),
                }),
                attempts: attempts(row.get(5)),
                reason: row.get(6),
                dead_at: row.get(7),
            }
        })
        .collect())
}

pub(super) async fn row(
    client: &Client,
    inbox: &config::StoredInbox,
    id: &str,
) -> Result<Option<Value>, Error> {
    let statement = format!(
        "SELECT to_jsonb(i) - 'payload' - 'key', payload, key FROM {table} AS i WHERE message_id = $1::text::uuid",
        table = inbox.table.quoted(),
    );
    let rows = client
        .query_typed(&statement, &[(&id, Type::TEXT)])
        .await
        .map_err(Error::database("read a dead letter's row"))?;
    Ok(rows.first().map(|row| {
        let mut columns: Value = row.get(0);
        columns["key"] = readable(row.get(2), false);
        columns["payload"] = readable(row.get(1), true);
        columns
    }))
}

/// What goes to the dead-letter topic; none if it is no dead letter any more.
pub(super) async fn record(
    client: &Client,
    inbox: &config::StoredInbox,
    id: &str,
) -> Result<Option<Record>, Error> {
    let statement = format!(
        "SELECT key, payload, headers::text, message_id::text, type, attempts, coalesce(last_error, '')
         FROM {table}
         WHERE message_id = $1::text::uuid AND dead_at IS NOT NULL AND processed_at IS NULL",
        table = inbox.table.quoted(),
    );
    let rows = client
        .query_typed(&statement, &[(&id, Type::TEXT)])
        .await
        .map_err(Error::database("read a dead letter for its topic"))?;
    Ok(rows.first().map(|row| {
        let mut record = Record::of(row);
        // The new record has a timestamp of its own.
        record.headers.retain(|(name, _)| name != event::TIMESTAMP);
        record
    }))
}

/// Bytes as JSON or text if they are that.
fn readable(bytes: Option<&[u8]>, json: bool) -> Value {
    let Some(bytes) = bytes else { return Value::Null };
    if json && let Ok(value) = serde_json::from_slice(bytes) {
        return value;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

/// A retry makes the messages pending again, and tells the owner of their
/// partitions; a skip counts as processed.
pub(super) async fn settle(
    transaction: &Transaction<'_>,
    inbox: &config::StoredInbox,
    decision: Decision,
    letters: &[DeadLetter],
) -> Result<Outcome, Error> {
    let ids: Vec<Uuid> =
        letters.iter().filter_map(|letter| Uuid::try_parse(&letter.id).ok()).collect();
    let change = match decision {
        Decision::Retry => "dead_at = NULL, attempts = 0",
        Decision::Skip => "processed_at = clock_timestamp()",
    };
    let statement = format!(
        "UPDATE {table} SET {change}
         WHERE message_id = ANY ($1) AND dead_at IS NOT NULL AND processed_at IS NULL
         RETURNING message_id",
        table = inbox.table.quoted(),
    );
    let rows = transaction
        .query_typed(&statement, &[(&ids, Type::UUID_ARRAY)])
        .await
        .map_err(Error::database("settle dead letters"))?;
    let done: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    transaction
        .execute_typed(
            "DELETE FROM outbox_sidecar.suspect WHERE inbox = $1 AND message_id = ANY ($2)",
            &[(&inbox.name, Type::TEXT), (&done, Type::UUID_ARRAY)],
        )
        .await
        .map_err(Error::database("forget how often messages were begun"))?;
    if decision == Decision::Retry {
        let statement = format!(
            "INSERT INTO outbox_sidecar.redriven (inbox, message_id, topic, partition)
             SELECT $1, message_id, topic, partition FROM {table} WHERE message_id = ANY ($2)
             ON CONFLICT DO NOTHING",
            table = inbox.table.quoted(),
        );
        transaction
            .execute_typed(&statement, &[(&inbox.name, Type::TEXT), (&done, Type::UUID_ARRAY)])
            .await
            .map_err(Error::database("tell of messages to deliver again"))?;
    }
    Ok(Outcome { done: done.iter().map(Uuid::to_string).collect(), gone: Vec::new() })
}
