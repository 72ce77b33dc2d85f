//! The inbox table.

use std::collections::{BTreeMap, HashSet};

use deadpool_postgres::Pool;
use outbox_sidecar_core::{config::StoredInbox, event::InboxMessage};
use serde_json::Value;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};
use uuid::Uuid;

use crate::error::Error;

/// Rows per page when a partition's pending rows are loaded.
pub(super) const PAGE: usize = 500;

/// Bytes per page; one larger row still comes, alone.
pub(super) const PAGE_BYTES: usize = 4 << 20;

/// What is read of a row; behind it come attempts and trials.
pub(super) const COLUMNS: &str =
    "page.message_id, topic, partition, kafka_offset, key, type, payload, headers, received_at";

/// The statements for one inbox table.
pub struct Store {
    pool: Pool,
    inbox: String,
    insert: String,
    still_pending: String,
    page: String,
    note_retry: String,
    note_dead: String,
    /// Whether dead letters go to a topic.
    forwards: bool,
}

/// A pending row.
pub struct StoredMessage {
    /// The message.
    pub message: InboxMessage,
    /// Failures so far.
    pub attempts: u32,
    /// Trials so far.
    pub crashes: u32,
}

impl StoredMessage {
    /// One that has just come.
    pub fn new(message: InboxMessage) -> Self {
        Self { message, attempts: 0, crashes: 0 }
    }
}

impl Store {
    /// Writes the statements for an inbox.
    pub fn new(pool: Pool, inbox: &StoredInbox) -> Self {
        let table = inbox.table.quoted();
        Self {
            pool,
            inbox: inbox.name.clone(),
            insert: format!(
                "INSERT INTO {table} (message_id, topic, partition, kafka_offset, key, type, payload, headers)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::int8[], $5::bytea[], $6::text[],
                                      $7::bytea[], $8::jsonb[])
                 ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
            ),
            // By the id: the planner would take the index of all that wait for small.
            still_pending: format!(
                "SELECT message_id FROM {table}
                 WHERE message_id = ANY ($1) AND coalesce(processed_at, dead_at) IS NULL"
            ),
            page: format!(
                "SELECT {COLUMNS}, attempts, coalesce(s.starts, 0)
                 FROM (SELECT *, sum(octet_length(payload))
                                 OVER (ORDER BY kafka_offset ROWS UNBOUNDED PRECEDING) AS bytes
                       FROM {table}
                       WHERE topic = $1 AND partition = $2 AND kafka_offset > $3
                         AND processed_at IS NULL AND dead_at IS NULL
                       ORDER BY kafka_offset LIMIT {PAGE}) AS page
                 LEFT JOIN outbox_sidecar.suspect AS s ON s.inbox = $4 AND s.message_id = page.message_id
                 WHERE coalesce(bytes - octet_length(payload), bytes, 0) < {PAGE_BYTES}
                 ORDER BY kafka_offset"
            ),
            note_retry: format!(
                "UPDATE {table} SET attempts = attempts + 1, last_error = t.reason
                 FROM unnest($1::uuid[], $2::text[]) AS t(id, reason)
                 WHERE message_id = t.id AND processed_at IS NULL"
            ),
            note_dead: format!(
                "WITH dead AS (
                     UPDATE {table} SET attempts = attempts + 1, last_error = t.reason, dead_at = clock_timestamp()
                     FROM unnest($1::uuid[], $2::text[]) AS t(id, reason)
                     WHERE message_id = t.id AND processed_at IS NULL RETURNING message_id)
                 INSERT INTO outbox_sidecar.forward (side, name, id)
                 SELECT 'inbox', $3, message_id::text FROM dead WHERE $4 ON CONFLICT DO NOTHING"
            ),
            forwards: inbox.deliver.dead_letter_topic.is_some(),
        }
    }

    /// Stores messages; those stored before are left as they are. Returns the
    /// ids that are to be delivered: the new ones, and the known ones that have
    /// neither been applied nor died.
    ///
    /// # Errors
    /// The database is away, or the table is not as documented.
    pub async fn insert(&self, messages: &[InboxMessage]) -> Result<(HashSet<Uuid>, usize), Error> {
        let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
        let topics: Vec<&str> = messages.iter().map(|message| message.topic.as_str()).collect();
        let partitions: Vec<i32> = messages.iter().map(|message| message.partition).collect();
        let offsets: Vec<i64> = messages.iter().map(|message| message.offset).collect();
        let keys: Vec<Option<&[u8]>> =
            messages.iter().map(|message| message.key.as_deref()).collect();
        let types: Vec<Option<&str>> =
            messages.iter().map(|message| message.event_type.as_deref()).collect();
        let payloads: Vec<Option<&[u8]>> =
            messages.iter().map(|message| message.payload.as_deref()).collect();
        let headers: Vec<Value> = messages
            .iter()
            .map(|message| {
                message
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                    .collect()
            })
            .collect();
        let client = self.pool.get().await?;
        let inserted = client
            .query_typed(
                &self.insert,
                &[
                    (&ids, Type::UUID_ARRAY),
                    (&topics, Type::TEXT_ARRAY),
                    (&partitions, Type::INT4_ARRAY),
                    (&offsets, Type::INT8_ARRAY),
                    (&keys, Type::BYTEA_ARRAY),
                    (&types, Type::TEXT_ARRAY),
                    (&payloads, Type::BYTEA_ARRAY),
                    (&headers, Type::JSONB_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("store received messages"))?;
        let mut deliverable: HashSet<Uuid> = inserted.iter().map(|row| row.get(0)).collect();
        let new = deliverable.len();
        if new < messages.len() {
            let known: Vec<Uuid> = ids.into_iter().filter(|id| !deliverable.contains(id)).collect();
            let pending = client
                .query_typed(&self.still_pending, &[(&known, Type::UUID_ARRAY)])
                .await
                .map_err(Error::database("look for known messages"))?;
            deliverable.extend(pending.iter().map(|row| row.get::<_, Uuid>(0)));
        }
        Ok((deliverable, new))
    }

    /// The next pending rows of a partition beyond an offset, in offset order; a
    /// page of them, bounded in rows and bytes. None: there are no more.
    ///
    /// # Errors
    /// The database is away, or the table is not as documented.
    pub async fn pending(
        &self,
        topic: &str,
        partition: i32,
        after: i64,
    ) -> Result<Vec<StoredMessage>, Error> {
        let client = self.pool.get().await?;
        let rows = client
            .query_typed(
                &self.page,
                &[
                    (&topic, Type::TEXT),
                    (&partition, Type::INT4),
                    (&after, Type::INT8),
                    (&self.inbox, Type::TEXT),
                ],
            )
            .await
            .map_err(Error::database("load pending messages"))?;
        Ok(rows.iter().map(stored_message).collect())
    }

    /// Notes failures that count.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_retries(&self, failures: &[(Uuid, String)]) -> Result<(), Error> {
        self.note(&self.note_retry, failures, &[], "note failed deliveries").await
    }

    /// Marks messages dead, with their reason, and notes them for their topic.
    ///
    /// # Errors
    /// The database is away.
    pub async fn note_dead(&self, dead: &[(Uuid, String)]) -> Result<(), Error> {
        let more: [(&(dyn ToSql + Sync), Type); 2] =
            [(&self.inbox, Type::TEXT), (&self.forwards, Type::BOOL)];
        self.note(&self.note_dead, dead, &more, "mark dead letters").await
    }

    async fn note(
        &self,
        statement: &str,
        reasons: &[(Uuid, String)],
        more: &[(&(dyn ToSql + Sync), Type)],
        action: &'static str,
    ) -> Result<(), Error> {
        if reasons.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = reasons.iter().map(|(id, _)| *id).collect();
        let reasons: Vec<String> =
            reasons.iter().map(|(_, reason)| reason.replace('\0', "")).collect();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&ids, Type::UUID_ARRAY), (&reasons, Type::TEXT_ARRAY)];
        parameters.extend(more.iter().cloned());
        let client = self.pool.get().await?;
        client.execute_typed(statement, &parameters).await.map_err(Error::database(action))?;
        Ok(())
    }
}

pub(super) fn stored_message(row: &Row) -> StoredMessage {
    let headers: Value = row.get(7);
    let headers: BTreeMap<String, String> = headers
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    StoredMessage {
        message: InboxMessage {
            id: row.get(0),
            topic: row.get(1),
            partition: row.get(2),
            offset: row.get(3),
            key: row.get(4),
            event_type: row.get(5),
            payload: row.get(6),
            headers,
            received_at: row.get(8),
        },
        attempts: u32::try_from(row.get::<_, i32>(9)).unwrap_or_default(),
        crashes: u32::try_from(row.get::<_, i32>(10)).unwrap_or_default(),
    }
}
