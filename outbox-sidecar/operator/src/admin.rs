//! The admin port: health and metrics.

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::get,
};

use crate::{
    certificates::{ServingCertificate, Trust},
    metrics::Metrics,
};

/// Whether pods would be injected now.
#[derive(Clone, Debug)]
pub struct Readiness {
    /// What the webhook presents.
    pub serving: ServingCertificate,
    /// Whether the API server trusts it.
    pub trust: Trust,
}

impl Readiness {
    fn problem(&self) -> Option<&'static str> {
        if !self.serving.is_loaded() {
            Some("there is no serving certificate yet")
        } else if !self.trust.is_given() {
            Some("the webhook configuration does not trust the serving certificate yet")
        } else {
            None
        }
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    let ready = move || async move {
        match readiness.problem() {
            None => (StatusCode::OK, "ready"),
            Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, problem),
        }
    };
    let metrics = move || async move { render(&metrics) };
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

fn render(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
