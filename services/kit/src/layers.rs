//! What surrounds every request: its context, a time limit, a body limit,
//! metrics, a log line, and problems instead of bare errors.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use crate::context::{REQUEST_ID, RequestContext};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::refused_body::taken_in_when_dropped;

/// The layers of one listener.
#[derive(Clone, Debug)]
pub struct Layers {
    /// The listener's name in metrics.
    pub listener: &'static str,
    /// Where requests are counted.
    pub metrics: Metrics,
    /// How long a request may take. When it is over, what the request was
    /// doing is dropped: its transaction rolls back unless its commit was
    /// already sent.
    pub timeout: Duration,
    /// The largest body, in bytes, for handlers that read it whole.
    pub max_body_bytes: usize,
}

impl Layers {
    /// Puts the layers around `router`. Unknown paths become 404 problems,
    /// other methods 405 problems with `Allow`.
    pub fn around(self, router: Router) -> Router {
        router
            .fallback(|| async { Problem::not_found("there is nothing at this path") })
            .method_not_allowed_fallback(|| async {
                Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "this path does not take this method; see the Allow header",
                )
            })
            .layer(DefaultBodyLimit::max(self.max_body_bytes))
            .layer(axum::middleware::from_fn_with_state(self, surround))
    }
}

async fn surround(State(layers): State<Layers>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = RequestContext::from_headers(request.headers());
    let method = bounded_method(request.method());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let span = tracing::info_span!(
        "request",
        method,
        route,
        request_id = context.request_id(),
        trace_id = context.trace.trace_id(),
        span_id = context.trace.span_id(),
    );
    let request_id = context.request_id.clone();
    request.extensions_mut().insert(context);

    let request = request.map(taken_in_when_dropped);

    async move {
        let in_flight = layers.metrics.start_request();
        let mut response = answer(layers.timeout, next, request).await;
        drop(in_flight);
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, request_id);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let (status, took) = (response.status().as_u16(), started.elapsed());
        layers.metrics.finish_request([layers.listener, method, &route], status, took);
        tracing::debug!(status, ?took, "request answered");
        response
    }
    .instrument(span)
    .await
}

async fn answer(timeout: Duration, next: Next, request: Request) -> Response {
    let guarded = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(timeout, guarded).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let reason = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Problem::internal(format!("a handler panicked: {reason}")).into_response()
        }
        Err(_) => Problem::unavailable(format!("the request was not finished within {timeout:?}"))
            .caused_by("request timed out")
            .into_response(),
    }
}

/// The method as a metric label: anyone can send any method, so only the
/// usual ones are named.
fn bounded_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use http_body_util::BodyExt;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::*;

    async fn answer_of(router: Router) -> (StatusCode, Value) {
        let layers = Layers {
            listener: "test",
            metrics: Metrics::new().unwrap(),
            timeout: Duration::from_millis(50),
            max_body_bytes: 1024,
        };
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = layers.around(router).oneshot(request).await.unwrap();
        assert!(response.headers().contains_key(REQUEST_ID));
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_that_gives_nothing_away() {
        async fn handler() -> &'static str {
            panic!("the secret is 42")
        }
        let (status, problem) = answer_of(Router::new().route("/", get(handler))).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(problem["status"], 500);
        assert!(!problem.to_string().contains("secret"));
    }

    #[tokio::test]
    async fn a_handler_that_takes_too_long_is_a_problem() {
        let router = Router::new().route("/", get(std::future::pending::<()>));
        let (status, problem) = answer_of(router).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(problem["status"], 503);
    }
}
