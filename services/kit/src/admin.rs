//! The admin listener: `/healthz`, `/readyz`, `/metrics`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::database::Database;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::telemetry::Chain;

/// How long the readiness check waits for the database.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// Whether the process should get requests. Clones share the state.
#[derive(Clone, Debug)]
pub struct Readiness {
    state: Arc<AtomicU8>,
    database: Option<Database>,
}

impl Readiness {
    /// Of a starting process that depends on `database`, if given.
    #[must_use]
    pub fn starting(database: Option<Database>) -> Self {
        Self { state: Arc::new(AtomicU8::new(STARTING)), database }
    }

    /// The process has started.
    pub fn set_ready(&self) {
        self.state.store(READY, Ordering::Relaxed);
    }

    /// The process is about to stop.
    pub fn set_stopping(&self) {
        self.state.store(STOPPING, Ordering::Relaxed);
    }

    /// Why the process is not ready, if so.
    async fn obstacle(&self) -> Option<String> {
        match self.state.load(Ordering::Relaxed) {
            STARTING => return Some("starting".to_owned()),
            STOPPING => return Some("stopping".to_owned()),
            _ => {}
        }
        let database = self.database.as_ref()?;
        match tokio::time::timeout(PING_TIMEOUT, database.ping()).await {
            Ok(Ok(())) => None,
            Ok(Err(err)) => Some(format!("the database does not answer: {}", Chain(&err))),
            Err(_) => Some(format!("the database did not answer within {PING_TIMEOUT:?}")),
        }
    }
}

/// The routes of the admin listener.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness)
        .route("/metrics", get(scrape).with_state(metrics))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.obstacle().await {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Result<Response, Problem> {
    let text = metrics.render().map_err(Problem::internal)?;
    let content_type = (header::CONTENT_TYPE, prometheus::TEXT_FORMAT);
    Ok(([content_type], text).into_response())
}
