//! `/dead-letters` of the admin port, for whoever is on the same machine or in
//! the same pod.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, Request, State, rejection::JsonRejection},
    http::{StatusCode, header::HOST},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use outbox_sidecar_core::{
    dead_letter::{Address, DEFAULT_PAGE, ListRequest, Place, SettleRequest},
    failure::Class,
};
use serde_json::json;

use super::Admin;
use crate::{
    dead_letter::{DeadLetters, Decision},
    error::{Error, chain},
};

/// The dead letters of the configuration at the time; clones share it.
#[derive(Clone, Default)]
pub struct CurrentDeadLetters(Arc<Mutex<Option<DeadLetters>>>);

impl CurrentDeadLetters {
    /// Those of another configuration from now on.
    pub fn replace(&self, dead_letters: DeadLetters) {
        // One left by a panicking thread is still good.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead_letters);
    }

    fn get(&self) -> Result<DeadLetters, Problem> {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.ok_or_else(|| Problem(StatusCode::SERVICE_UNAVAILABLE, "not started yet".into()))
    }
}

/// A request that is not carried out.
struct Problem(StatusCode, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Unknown(_) => StatusCode::NOT_FOUND,
            _ if error.class() == Class::Outage => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, chain(&error))
    }
}

/// The routes. In a pod the port is open to the network, and these show and move
/// business data: only loopback gets in, as `kubectl exec` and `port-forward` do.
pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/dead-letters", get(list))
        .route("/dead-letters/{side}/{name}/{id}", get(show))
        .route("/dead-letters/retry", post(retry))
        .route("/dead-letters/skip", post(skip))
        .route_layer(middleware::from_fn(only_from_loopback))
}

/// A browser on the same machine is on loopback too: a page of another site is
/// kept out by the host it asks for, and by the body having to be JSON.
async fn only_from_loopback(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if peer.ip().to_canonical().is_loopback() && is_loopback(host) {
        return next.run(request).await;
    }
    let problem = "dead letters are only for loopback; use kubectl exec or kubectl port-forward";
    Problem(StatusCode::FORBIDDEN, problem.into()).into_response()
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

async fn list(
    State(admin): State<Admin>,
    Query(request): Query<ListRequest>,
) -> Result<Response, Problem> {
    let after = match &request.after {
        Some(text) => Some(text.parse::<Place>().map_err(bad_request)?),
        None => None,
    };
    let limit = request.limit.unwrap_or(DEFAULT_PAGE);
    let page = admin.dead_letters.get()?.list(&request.filter(), after.as_ref(), limit).await?;
    Ok(Json(page).into_response())
}

async fn show(
    State(admin): State<Admin>,
    Path((side, name, id)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    let address: Address = format!("{side}/{name}/{id}").parse().map_err(bad_request)?;
    match admin.dead_letters.get()?.show(&address).await? {
        Some(detail) => Ok(Json(detail).into_response()),
        None => Err(Problem(StatusCode::NOT_FOUND, format!("there is no dead letter {address}"))),
    }
}

async fn retry(
    State(admin): State<Admin>,
    request: Result<Json<SettleRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    settle(admin, Decision::Retry, request).await
}

async fn skip(
    State(admin): State<Admin>,
    request: Result<Json<SettleRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    settle(admin, Decision::Skip, request).await
}

async fn settle(
    admin: Admin,
    decision: Decision,
    request: Result<Json<SettleRequest>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(request) =
        request.map_err(|rejection| Problem(rejection.status(), rejection.body_text()))?;
    let filter = request.filter().map_err(bad_request)?;
    let settled = admin.dead_letters.get()?.settle(decision, &filter, &request.actor).await?;
    Ok(Json(settled).into_response())
}

fn bad_request(error: impl std::error::Error) -> Problem {
    Problem(StatusCode::BAD_REQUEST, error.to_string())
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
}
