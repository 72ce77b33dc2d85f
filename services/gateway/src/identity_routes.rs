//! `/auth/…`: how to sign in, and as whom one is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use jiff::Timestamp;
use kit::Problem;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::{AuthSettings, Authenticator, Identity};

/// What needs no token.
pub(crate) fn open(authenticator: Arc<Authenticator>, settings: &AuthSettings) -> Router {
    let config = config(&authenticator, settings);
    Router::new()
        .route("/auth/config", get(auth_config).with_state(config))
        .route("/auth/demo-token", post(demo_token))
        .with_state(authenticator)
}

/// Tells whom the token names.
#[utoipa::path(
    get, path = "/auth/me", operation_id = "whoAmI", tag = "identity",
    responses((status = 200, description = "Whom it names.", body = Identity)),
)]
pub(crate) async fn me(Extension(identity): Extension<Identity>) -> Json<Identity> {
    Json(identity)
}

/// Tells how to sign in.
#[utoipa::path(
    get, path = "/auth/config", operation_id = "howToSignIn", tag = "identity", security(()),
    responses((status = 200, description = "Whose tokens are accepted.", body = Config)),
)]
pub(crate) async fn auth_config(State(config): State<Config>) -> Json<Config> {
    Json(config)
}

/// Whose tokens are accepted.
#[derive(Clone, Serialize, ToSchema)]
#[serde(tag = "mode", rename_all = "lowercase")]
#[schema(as = AuthConfig)]
pub(crate) enum Config {
    /// Those that this gateway gives to anyone who asks.
    Demo,
    /// Those of an `OpenID` Connect issuer.
    Jwt {
        /// The issuer's URL.
        issuer: Option<String>,
        /// What an interface signs in as.
        client_id: Option<String>,
    },
}

fn config(authenticator: &Authenticator, settings: &AuthSettings) -> Config {
    match authenticator {
        Authenticator::Demo(_) => Config::Demo,
        Authenticator::Jwt(_) => Config::Jwt {
            issuer: settings.auth_issuer.clone(),
            client_id: settings.auth_client_id.clone(),
        },
    }
}

/// Whose demo token is wanted: a user's, an operator's, or that of an operator who is a user too.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DemoTokenRequest)]
pub(crate) struct Wanted {
    /// The user.
    #[serde(default)]
    #[schema(minimum = 1)]
    user_id: Option<i64>,
    /// Whether it is to be an operator's.
    #[serde(default)]
    operator: bool,
}

/// A demo token.
#[derive(Serialize, ToSchema)]
#[schema(as = DemoToken)]
pub(crate) struct Issued {
    /// What goes into `Authorization: Bearer …`.
    token: String,
    /// `Bearer`.
    #[schema(value_type = String)]
    token_type: &'static str,
    /// For how many seconds it is good.
    expires_in: u64,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The user, if it is one's.
    #[schema(required)]
    user_id: Option<i64>,
    /// Whether it is an operator's.
    operator: bool,
}

/// Gives out a token for trying out, to anyone; in mode `demo` only.
#[utoipa::path(
    post, path = "/auth/demo-token", operation_id = "issueDemoToken", tag = "identity", security(()),
    request_body = Wanted,
    responses(
        (status = 200, description = "A token.", body = Issued),
        (status = 404, description = "This gateway gives out none.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn demo_token(
    State(authenticator): State<Arc<Authenticator>>,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    let Authenticator::Demo(demo) = &*authenticator else {
        return Err(Problem::not_found("this gateway issues no tokens").coded("not_found"));
    };
    let Wanted { user_id, operator } = serde_json::from_slice(&body)
        .map_err(|err| Problem::invalid_field("body", err.to_string()))?;
    match user_id {
        Some(id) if id <= 0 => {
            return Err(Problem::invalid_field("user_id", "must be greater than zero"));
        }
        None if !operator => {
            return Err(Problem::invalid_field("user_id", "name a user, or ask for an operator"));
        }
        _ => {}
    }
    let (token, expires_at) = demo.issue(user_id, operator).map_err(Problem::internal)?;
    let expires_in = demo.lifetime().as_secs();
    let issued = Issued { token, token_type: "Bearer", expires_in, expires_at, user_id, operator };
    Ok(([("cache-control", "no-store")], Json(issued)).into_response())
}
