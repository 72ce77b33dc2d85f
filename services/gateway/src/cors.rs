//! Which pages may call the API.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep a preflight's answer.
const MAX_AGE: Duration = Duration::from_secs(300);

pub(crate) fn layer(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ])
        .allow_headers([
            header::ACCEPT,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            kit::context::REQUEST_ID,
            kit::context::TRACEPARENT,
            kit::idempotency::IDEMPOTENCY_KEY,
        ])
        .expose_headers([
            header::LINK,
            header::RETRY_AFTER,
            kit::context::REQUEST_ID,
            kit::idempotency::IDEMPOTENCY_REPLAYED,
            HeaderName::from_static("content-type"),
        ])
        .allow_credentials(true)
        .max_age(MAX_AGE)
}
