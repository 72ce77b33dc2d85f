//! The outbox: messages written in the transaction of the change they tell
//! of, carried to Kafka by the sidecar.

use deadpool_postgres::Transaction;
use postgres_types::Json;
use serde::Serialize;
use uuid::Uuid;

use crate::context::Trace;

const INSERT: &str = "INSERT INTO outbox (id, aggregate_type, aggregate_id, type, payload, headers) \
     VALUES ($1, $2, $3, $4, $5, jsonb_build_object('traceparent', $6::text))";

/// The same into the table of events, which has an outbox of its own in the
/// sidecar: what is told to whoever listens holds up no work.
const INSERT_EVENT: &str = "INSERT INTO events (id, aggregate_type, aggregate_id, type, payload, headers) \
     VALUES ($1, $2, $3, $4, $5, jsonb_build_object('traceparent', $6::text))";

/// A message to write.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a, P> {
    /// Identifies the message; consumers deduplicate on it.
    pub id: Uuid,
    /// What kind of thing it is about: `order`, `payment`.
    pub aggregate_type: &'a str,
    /// Which one it is about. Messages with the same one keep their order as
    /// long as their transactions take turns, as they do by locking its row.
    pub aggregate_id: &'a str,
    /// What happened: `payment.succeeded`.
    pub r#type: &'a str,
    /// The body, written as JSON.
    pub payload: &'a P,
    /// The trace to continue; becomes the `traceparent` header.
    pub trace: &'a Trace,
}

/// Writes a message; it is sent if and when the transaction commits. Wake
/// the sidecar after that ([`crate::Wake::wake`]).
///
/// # Errors
///
/// The insert failed; the transaction is then of no more use.
pub async fn write<P>(
    tx: &Transaction<'_>,
    message: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert(tx, INSERT, message).await
}

/// Writes an event for whoever listens; otherwise like [`write`].
///
/// # Errors
///
/// As [`write`].
pub async fn announce<P>(
    tx: &Transaction<'_>,
    event: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert(tx, INSERT_EVENT, event).await
}

async fn insert<P>(
    tx: &Transaction<'_>,
    sql: &str,
    message: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(
        &statement,
        &[
            &message.id,
            &message.aggregate_type,
            &message.aggregate_id,
            &message.r#type,
            &Json(message.payload),
            &message.trace.to_string(),
        ],
    )
    .await?;
    Ok(())
}
