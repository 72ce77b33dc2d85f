//! Which pages may call the API.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use kit::settings::ConfigurationError;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep a preflight's answer.
const MAX_AGE: Duration = Duration::from_secs(300);

/// # Errors
///
/// An origin is not one: `*` would let every page in.
pub(crate) fn layer(origins: &[HeaderValue]) -> Result<CorsLayer, ConfigurationError> {
    let bad = origins.iter().find(|origin| {
        let scheme = |scheme: &[u8]| origin.as_bytes().starts_with(scheme);
        !(origin.is_empty() || scheme(b"https://") || scheme(b"http://"))
    });
    if let Some(bad) = bad {
        return Err(ConfigurationError(format!(
            "--cors-allowed-origins names {bad:?}: an origin is like https://shop.example"
        )));
    }
    Ok(layer_of(origins))
}

fn layer_of(origins: &[HeaderValue]) -> CorsLayer {
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
            header::WWW_AUTHENTICATE,
            kit::context::REQUEST_ID,
            kit::idempotency::IDEMPOTENCY_REPLAYED,
            HeaderName::from_static("content-type"),
        ])
        // Tokens are sent by pages that have them, not by browsers on their own.
        .max_age(MAX_AGE)
}
