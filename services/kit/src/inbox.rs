//! The inbox: messages from Kafka that the sidecar delivers over HTTP.
//!
//! The sidecar has already stored each message in the `inbox` table. Here it
//! is applied and marked as processed in one transaction, so that its effect
//! happens once however often it is delivered.
//!
//! A batch is one transaction as long as all of it can be applied; one disk
//! flush is then shared by all. If any of it cannot, nothing of that remains,
//! and each event gets a transaction of its own.

mod event;
mod listener;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use deadpool_postgres::Transaction;
use futures::StreamExt;
use serde::Serialize;
use tracing::Instrument;
use uuid::Uuid;

pub use event::{Event, Gap};
pub use listener::{Listener, router as listener_router};

use crate::database::{Database, DatabaseError};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::telemetry::Chain;

/// Keys whose events are applied at the same time, per batch.
const CONCURRENT_KEYS: usize = 8;
/// The largest batch, in bytes.
const MAX_BATCH: usize = 16 * 1024 * 1024;
/// The longest reason answered.
const MAX_REASON: usize = 500;

/// What applies events.
pub trait Application: Send + Sync + 'static {
    /// Applies events within `tx`, which is committed afterwards with the
    /// events' marks, or rolled back on an error. Those of one key are in order.
    ///
    /// Other transactions may do the same at the same time: rows that both need
    /// have to be locked in one order everywhere, whatever that of the events.
    ///
    /// If one of several cannot be applied, each is applied again in a
    /// transaction of its own. The same event is never applied twice; another
    /// event may still ask for what was done before.
    fn apply(
        &self,
        tx: &Transaction<'_>,
        events: &[&Event],
    ) -> impl Future<Output = Result<(), Refusal>> + Send;

    /// Told after a transaction in which events were applied has committed.
    fn committed(&self) {}
}

/// Why an event was not applied.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It can never be applied; it goes to the dead letters with this reason.
    #[error("{0}")]
    Rejected(String),
    /// It could not be applied now.
    #[error(transparent)]
    Failed(DatabaseError),
}

impl<E: Into<DatabaseError>> From<E> for Refusal {
    fn from(err: E) -> Self {
        let err = err.into();
        if err.is_caused_by_data() {
            Self::Rejected(Chain(&err).to_string())
        } else {
            Self::Failed(err)
        }
    }
}

/// Marks a message as processed. `false`: it already was, or is dead; then
/// the transaction must be rolled back.
///
/// # Errors
///
/// The database failed.
pub async fn mark(tx: &Transaction<'_>, message_id: Uuid) -> Result<bool, tokio_postgres::Error> {
    let statement = tx
        .prepare_cached(
            "UPDATE inbox SET processed_at = clock_timestamp(), attempts = attempts + 1 \
             WHERE message_id = $1 AND coalesce(processed_at, dead_at) IS NULL",
        )
        .await?;
    Ok(tx.execute(&statement, &[&message_id]).await? == 1)
}

/// Marks messages as processed; returns those that were not before, and are
/// not dead.
///
/// `coalesce` keeps the planner from going by the index of all that wait, which
/// it takes for small.
async fn mark_all(
    tx: &Transaction<'_>,
    message_ids: &[Uuid],
) -> Result<HashSet<Uuid>, tokio_postgres::Error> {
    let statement = tx
        .prepare_cached(
            "UPDATE inbox SET processed_at = clock_timestamp(), attempts = attempts + 1 \
             WHERE message_id = ANY($1) AND coalesce(processed_at, dead_at) IS NULL \
             RETURNING message_id",
        )
        .await?;
    let rows = tx.query(&statement, &[&message_ids]).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

fn span(event: &Event) -> tracing::Span {
    tracing::info_span!(
        "event",
        message_id = %event.id,
        r#type = event.r#type,
        trace_id = event.trace.trace_id(),
        span_id = event.trace.span_id(),
    )
}

/// The route `POST /inbox` for a listener that only the sidecar reaches.
pub fn router<A: Application>(application: A, database: Database, metrics: Metrics) -> Router {
    let inbox = Arc::new(Inbox { application, database, metrics });
    Router::new()
        .route("/inbox", post(receive::<A>))
        .layer(DefaultBodyLimit::max(MAX_BATCH))
        .with_state(inbox)
}

struct Inbox<A> {
    application: A,
    database: Database,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Results {
    results: Vec<EventResult>,
}

#[derive(Debug, Serialize)]
struct EventResult {
    id: String,
    #[serde(flatten)]
    status: Status,
}

#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
enum Status {
    Applied,
    Duplicate,
    Rejected { reason: String },
    Retry { reason: String },
}

impl Status {
    fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: shortened(reason.into()) }
    }

    fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: shortened(reason.into()) }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Rejected { .. } => "rejected",
            Self::Retry { .. } => "retry",
        }
    }
}

fn shortened(reason: String) -> String {
    match reason.char_indices().nth(MAX_REASON) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason,
    }
}

async fn receive<A: Application>(
    State(inbox): State<Arc<Inbox<A>>>,
    body: Bytes,
) -> Result<Json<Results>, Problem> {
    let batch = event::parse_batch(&body)?;
    let mut results = Vec::with_capacity(batch.len());
    let mut keys: HashMap<Option<String>, Vec<Event>> = HashMap::new();
    for event in batch {
        match event {
            Ok(event) => keys.entry(event.subject.clone()).or_default().push(event),
            Err(malformed) => {
                inbox.metrics.inbox_event("rejected");
                results.push(EventResult {
                    id: malformed.id,
                    status: Status::rejected(malformed.reason),
                });
            }
        }
    }
    let keys: Vec<Vec<Event>> = keys.into_values().collect();
    if keys.iter().map(Vec::len).sum::<usize>() > 1 {
        match inbox.apply_together(&keys).await {
            Ok(applied) => {
                results.extend(applied);
                return Ok(Json(Results { results }));
            }
            Err(refusal) => tracing::debug!(%refusal, "applying the events one by one"),
        }
    }
    let outage = Arc::new(AtomicBool::new(false));
    let mut finished = futures::stream::iter(keys)
        .map(|events| Arc::clone(&inbox).apply_in_order(events, Arc::clone(&outage)))
        .buffer_unordered(CONCURRENT_KEYS);
    while let Some(of_key) = finished.next().await {
        results.extend(of_key);
    }
    Ok(Json(Results { results }))
}

impl<A: Application> Inbox<A> {
    /// Applies all events in one transaction, or none: one that cannot be
    /// applied takes the others back with it.
    async fn apply_together(&self, keys: &[Vec<Event>]) -> Result<Vec<EventResult>, Refusal> {
        let mut client = self.database.get().await?;
        let tx = client.transaction().await?;
        let ids: Vec<Uuid> = keys.iter().flatten().map(|event| event.id).collect();
        let mut unmarked = mark_all(&tx, &ids).await?;
        let mut new = Vec::with_capacity(unmarked.len());
        let mut results = Vec::with_capacity(ids.len());
        for event in keys.iter().flatten() {
            // Also of one that is there twice.
            let status = if unmarked.remove(&event.id) {
                new.push(event);
                Status::Applied
            } else {
                Status::Duplicate
            };
            results.push(EventResult { id: event.id.to_string(), status });
        }
        if !new.is_empty() {
            let span = tracing::info_span!("events", count = new.len());
            self.application.apply(&tx, &new).instrument(span).await?;
        }
        tx.commit().await?;
        if !new.is_empty() {
            self.application.committed();
        }
        for result in &results {
            self.metrics.inbox_event(result.status.label());
        }
        Ok(results)
    }

    /// Applies the events of one key, up to the first that must be retried.
    ///
    /// Events that an outage of the database leaves untried get no result: the
    /// sidecar then counts no attempt against them.
    async fn apply_in_order(
        self: Arc<Self>,
        events: Vec<Event>,
        outage: Arc<AtomicBool>,
    ) -> Vec<EventResult> {
        let mut results = Vec::with_capacity(events.len());
        let mut blocked = false;
        for event in events {
            let status = if blocked {
                Status::retry("an earlier event of the same key must be applied first")
            } else if outage.load(Ordering::Relaxed) {
                break;
            } else {
                match self.apply(&event).instrument(span(&event)).await {
                    Some(status) => status,
                    None => {
                        outage.store(true, Ordering::Relaxed);
                        break;
                    }
                }
            };
            blocked = blocked || matches!(status, Status::Retry { .. });
            self.metrics.inbox_event(status.label());
            results.push(EventResult { id: event.id.to_string(), status });
        }
        results
    }

    /// What became of an event; `None` if the database is away.
    async fn apply(&self, event: &Event) -> Option<Status> {
        match self.apply_once(event).await {
            Ok(true) => {
                self.application.committed();
                Some(Status::Applied)
            }
            Ok(false) => Some(Status::Duplicate),
            Err(Refusal::Rejected(reason)) => {
                tracing::warn!(reason, "event rejected");
                Some(Status::rejected(reason))
            }
            Err(Refusal::Failed(err)) => {
                let reason = Chain(&err).to_string();
                tracing::error!(error = reason, "event could not be applied, it will be retried");
                (!err.is_outage()).then(|| Status::retry(reason))
            }
        }
    }

    /// Applies an event in a transaction of its own; `false` when it was
    /// processed before.
    async fn apply_once(&self, event: &Event) -> Result<bool, Refusal> {
        let mut client = self.database.get().await?;
        let tx = client.transaction().await?;
        if !mark(&tx, event.id).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        self.application.apply(&tx, &[event]).await?;
        tx.commit().await?;
        Ok(true)
    }
}
