//! `/dead-letters` of the admin port, for whom [`access`] lets in.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use outbox_sidecar_core::{
    dead_letter::{Address, DEFAULT_PAGE, ListRequest, Place, SettleRequest},
    failure::Class,
};
use serde_json::json;

use super::{Admin, access};
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
/// business data.
pub(super) fn routes(admin: &Admin) -> Router<Admin> {
    Router::new()
        .route("/dead-letters", get(list))
        .route("/dead-letters/{side}/{name}/{id}", get(show))
        .route("/dead-letters/retry", post(retry))
        .route("/dead-letters/skip", post(skip))
        .route_layer(middleware::from_fn_with_state(admin.token.clone(), access::check))
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
