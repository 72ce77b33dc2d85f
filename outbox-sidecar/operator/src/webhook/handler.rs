//! `POST /inject`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde::Deserialize;

use super::{
    Webhook,
    review::{API_VERSION, Answer, KIND, Request, Review},
};

/// The largest request the API server sends is a pod of 3 MiB, twice at most.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// What the API server waits if it does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is left of its patience for the answer to get there.
const RESERVE: Duration = Duration::from_secs(2);

/// How long a relay that is not there yet is waited for at most.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The webhook's one route.
pub fn router(webhook: Arc<Webhook>) -> Router {
    Router::new()
        .route("/inject", post(inject))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(webhook)
}

#[derive(Deserialize)]
struct Parameters {
    /// As the API server adds it, such as `10s`.
    timeout: Option<String>,
}

async fn inject(
    State(webhook): State<Arc<Webhook>>,
    Query(parameters): Query<Parameters>,
    body: Bytes,
) -> Response {
    let begun = Instant::now();
    let request = match read(&body) {
        Ok(request) => request,
        Err(problem) => {
            webhook.metrics.admission("failed", "bad_request", begun.elapsed());
            tracing::warn!(error = %problem, "request is not an AdmissionReview");
            return (StatusCode::BAD_REQUEST, problem).into_response();
        }
    };
    let timeout = parameters.timeout.and_then(|text| humantime::parse_duration(&text).ok());
    let patience = timeout.unwrap_or(DEFAULT_TIMEOUT).saturating_sub(RESERVE).min(LONGEST_WAIT);
    let (namespace, pod) = (request.namespace.clone().unwrap_or_default(), pod_name(&request));
    let decision = match webhook.decide(&request, patience).await {
        Ok(decision) => decision,
        Err(error) => {
            webhook.metrics.admission("failed", crate::error::class(&error), begun.elapsed());
            let error = crate::error::chain(&error);
            tracing::error!(%namespace, %pod, %error, "pod not decided on");
            return (StatusCode::INTERNAL_SERVER_ERROR, error).into_response();
        }
    };
    let outcome = if decision.patch.is_some() { "injected" } else { "skipped" };
    webhook.metrics.admission(outcome, decision.reason, begun.elapsed());
    let (reason, warnings) = (decision.reason, &decision.warnings);
    if decision.patch.is_some() || !warnings.is_empty() {
        tracing::info!(%namespace, %pod, outcome, reason, ?warnings, "pod decided on");
    }
    match Answer::allowed(request.uid, decision.patch.as_ref(), decision.warnings) {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn read(body: &[u8]) -> Result<Request, String> {
    let review: Review = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(format!("{} {} is not {API_VERSION} {KIND}", review.api_version, review.kind));
    }
    review.request.ok_or_else(|| "there is no request".to_owned())
}

/// Pods of a workload have no name yet.
fn pod_name(request: &Request) -> String {
    let metadata = &request.object["metadata"];
    match (metadata["name"].as_str(), metadata["generateName"].as_str()) {
        (Some(name), _) => name.to_owned(),
        (None, Some(prefix)) => format!("{prefix}…"),
        (None, None) => String::new(),
    }
}
