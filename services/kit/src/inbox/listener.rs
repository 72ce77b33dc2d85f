//! Events for a process that keeps none of them.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;

use super::{Event, EventResult, MAX_BATCH, Refusal, Results, Status, event};
use crate::metrics::Metrics;
use crate::problem::Problem;

/// What hears events of an inbox without a table. It may hear one more than
/// once, and hears none that came while it was not there.
pub trait Listener: Send + Sync + 'static {
    /// Takes an event in, without waiting for anything.
    ///
    /// # Errors
    ///
    /// The event cannot be read; it is dropped.
    fn hear(&self, event: &Event) -> Result<(), Refusal>;
}

/// The route `POST /inbox` for a listener that only the sidecar reaches.
pub fn router<L: Listener>(listener: L, metrics: Metrics) -> Router {
    Router::new()
        .route("/inbox", post(receive::<L>))
        .layer(DefaultBodyLimit::max(MAX_BATCH))
        .with_state(Arc::new((listener, metrics)))
}

async fn receive<L: Listener>(
    State(state): State<Arc<(L, Metrics)>>,
    body: Bytes,
) -> Result<Json<Results>, Problem> {
    let (listener, metrics) = &*state;
    let batch = event::parse_batch(&body)?;
    let results = batch.into_iter().map(|event| {
        let (id, refused) = match event {
            Ok(event) => {
                let heard = listener.hear(&event);
                (event.id.to_string(), heard.err().map(|refusal| refusal.to_string()))
            }
            Err(malformed) => (malformed.id, Some(malformed.reason)),
        };
        let status = match refused {
            None => Status::Applied,
            Some(reason) => {
                tracing::warn!(message_id = id, reason, "event rejected");
                Status::rejected(reason)
            }
        };
        metrics.inbox_event(status.label());
        EventResult { id, status }
    });
    Ok(Json(Results { results: results.collect() }))
}
