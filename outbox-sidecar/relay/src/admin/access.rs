//! Who may see and move business data: loopback, and whoever has the token.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use outbox_sidecar_core::config::SecretRef;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{error::Error, secret::Secret};

/// Shorter ones could be guessed.
const FEWEST_BYTES: usize = 16;

/// A token that lets in. It is kept as its digest, and compared so: how long a
/// comparison takes tells nothing about the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminToken([u8; 32]);

/// A token that protects nothing.
#[derive(Debug, thiserror::Error)]
#[error("admin.token: must have {FEWEST_BYTES} bytes or more, and no white space")]
pub struct WeakToken;

impl AdminToken {
    /// Reads it from where the configuration says it is.
    ///
    /// # Errors
    /// It is not there, or is too short, or holds white space.
    pub fn read(reference: &SecretRef) -> Result<Self, Error> {
        Ok(Self::of(Secret::read(reference)?.reveal())?)
    }

    fn of(text: &str) -> Result<Self, WeakToken> {
        if text.len() < FEWEST_BYTES || text.chars().any(char::is_whitespace) {
            return Err(WeakToken);
        }
        Ok(Self(Sha256::digest(text).into()))
    }
}

/// The token of the configuration at the time; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CurrentToken(Arc<Mutex<Option<AdminToken>>>);

impl CurrentToken {
    /// This one from now on; none lets nobody in from elsewhere.
    pub fn replace(&self, token: Option<AdminToken>) {
        // One left by a panicking thread is still good.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    fn get(&self) -> Option<AdminToken> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loopback gets in, as `kubectl exec` and `port-forward` do, and whoever sends
/// the token.
///
/// A browser on the same machine is on loopback too: a page of another site is
/// kept out by the host it asks for, and by bodies having to be JSON.
pub(super) async fn check(
    State(token): State<CurrentToken>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if peer.ip().to_canonical().is_loopback() && is_loopback(host) {
        return next.run(request).await;
    }
    let refusal = |status: StatusCode, problem: &str| {
        (status, Json(json!({ "error": problem }))).into_response()
    };
    match token.get() {
        Some(token) if is_sent(token, request.headers()) => next.run(request).await,
        Some(_) => {
            let problem = "dead letters are for loopback, and for whoever sends admin.token: \
                           Authorization: Bearer …";
            let mut response = refusal(StatusCode::UNAUTHORIZED, problem);
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
        None => refusal(
            StatusCode::FORBIDDEN,
            "dead letters are only for loopback; use kubectl exec or kubectl port-forward, \
             or set admin.token",
        ),
    }
}

fn is_sent(token: AdminToken, headers: &HeaderMap) -> bool {
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, sent)| {
        scheme.eq_ignore_ascii_case("bearer") && AdminToken::of(sent).is_ok_and(|of| of == token)
    })
}

/// Whether a `Host` header names this machine.
fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name == "localhost"
        || name.parse::<IpAddr>().or(address).is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_this_machine_are_loopback() {
        for host in
            ["localhost", "localhost:9100", "127.0.0.1", "127.0.0.1:9100", "[::1]:9100", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com:9100",
            "10.0.0.1:9100",
            "127.0.0.1.example.com",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_token_that_could_be_guessed_is_refused() {
        for weak in ["", "short", "with white space in it"] {
            assert!(AdminToken::of(weak).is_err(), "{weak}");
        }
        assert!(AdminToken::of("0123456789abcdef").is_ok());
    }

    #[test]
    fn only_the_token_itself_is_the_token() {
        let token = AdminToken::of("0123456789abcdef").unwrap();
        let sent = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, axum::http::HeaderValue::from_static(value));
            is_sent(token, &headers)
        };
        assert!(sent("Bearer 0123456789abcdef") && sent("bearer 0123456789abcdef"));
        for other in ["0123456789abcdef", "Basic 0123456789abcdef", "Bearer 0123456789abcdeF", ""] {
            assert!(!sent(other), "{other}");
        }
        assert!(!is_sent(token, &HeaderMap::new()));
    }
}
