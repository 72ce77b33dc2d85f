//! The outbox: messages written in the transaction of the change they tell
//! of, carried to Kafka by the sidecar.

use deadpool_postgres::GenericClient;
use postgres_types::{Json, ToSql};
use serde::Serialize;
use uuid::Uuid;

use crate::context::Trace;
use crate::database::InTransaction;

/// The statements for a table that messages are written to.
#[derive(Clone, Copy, Debug)]
struct Table {
    insert: &'static str,
    insert_all: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        Table {
            insert: concat!(
                "INSERT INTO ",
                $name,
                " (id, aggregate_type, aggregate_id, type, payload, headers) \
                 VALUES ($1, $2, $3, $4, $5, jsonb_build_object('traceparent', $6::text))"
            ),
            insert_all: concat!(
                "INSERT INTO ",
                $name,
                " (id, aggregate_type, aggregate_id, type, payload, headers) \
                 SELECT id, kind, about, type, payload, jsonb_build_object('traceparent', trace) \
                 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::text[]) \
                 WITH ORDINALITY AS new (id, kind, about, type, payload, trace, number) ORDER BY number"
            ),
        }
    };
}

/// Work for other services.
const OUTBOX: Table = table!("outbox");

/// What is told to whoever listens. It has an outbox of its own in the sidecar,
/// and so holds up no work.
const EVENTS: Table = table!("events");

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
    tx: &impl InTransaction,
    message: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert(tx, OUTBOX, message).await
}

/// Writes messages by one statement, in their order; otherwise like [`write`].
///
/// # Errors
///
/// As [`write`].
pub async fn write_all<P>(
    tx: &impl InTransaction,
    messages: &[Message<'_, P>],
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert_all(tx, OUTBOX, messages).await
}

/// Writes an event for whoever listens; otherwise like [`write`].
///
/// # Errors
///
/// As [`write`].
pub async fn announce<P>(
    tx: &impl InTransaction,
    event: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert(tx, EVENTS, event).await
}

/// Writes events by one statement, in their order; otherwise like [`write`].
///
/// # Errors
///
/// As [`write`].
pub async fn announce_all<P>(
    tx: &impl InTransaction,
    events: &[Message<'_, P>],
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    insert_all(tx, EVENTS, events).await
}

async fn insert<P>(
    tx: &impl InTransaction,
    table: Table,
    message: Message<'_, P>,
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    let client = tx.client();
    let statement = client.prepare_cached(table.insert).await?;
    let values: [&(dyn ToSql + Sync); 6] = [
        &message.id,
        &message.aggregate_type,
        &message.aggregate_id,
        &message.r#type,
        &Json(message.payload),
        &message.trace.to_string(),
    ];
    client.execute(&statement, &values).await?;
    Ok(())
}

async fn insert_all<P>(
    tx: &impl InTransaction,
    table: Table,
    messages: &[Message<'_, P>],
) -> Result<(), tokio_postgres::Error>
where
    P: Serialize + std::fmt::Debug + Sync,
{
    if messages.is_empty() {
        return Ok(());
    }
    let client = tx.client();
    let statement = client.prepare_cached(table.insert_all).await?;
    let ids: Vec<Uuid> = messages.iter().map(|message| message.id).collect();
    let kinds: Vec<&str> = messages.iter().map(|message| message.aggregate_type).collect();
    let abouts: Vec<&str> = messages.iter().map(|message| message.aggregate_id).collect();
    let types: Vec<&str> = messages.iter().map(|message| message.r#type).collect();
    let payloads: Vec<Json<&P>> = messages.iter().map(|message| Json(message.payload)).collect();
    let traces: Vec<String> = messages.iter().map(|message| message.trace.to_string()).collect();
    let values: [&(dyn ToSql + Sync); 6] = [&ids, &kinds, &abouts, &types, &payloads, &traces];
    client.execute(&statement, &values).await?;
    Ok(())
}
