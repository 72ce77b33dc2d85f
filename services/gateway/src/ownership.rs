//! Passing on only what is the asker's own.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Limited};
use kit::extract::PathParams;
use kit::{Problem, RequestContext};
use serde::Deserialize;

use crate::identity::Identity;
use crate::proxy::{Proxy, forward};

/// The largest order that is looked at for whose it is.
const MAX_ORDER_BYTES: usize = 64 * 1024;

/// What says whose an order or an account is.
#[derive(Deserialize)]
struct Owned {
    user_id: i64,
}

/// A path that names a user: only one's own.
pub(crate) async fn of_user(
    proxy: State<Proxy>,
    Extension(identity): Extension<Identity>,
    path: PathParams,
    context: RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    if !identity.operator {
        let user_id = path.parse("user_id", "Invalid User ID format: expected an integer")?;
        allow(&identity, user_id)?;
    }
    Ok(forward(proxy, context, request).await)
}

/// A body that names a user: only oneself.
pub(crate) async fn in_body(
    proxy: State<Proxy>,
    Extension(identity): Extension<Identity>,
    context: RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    if identity.operator {
        return Ok(forward(proxy, context, request).await);
    }
    let (parts, body) = request.into_parts();
    let body = whole(body, proxy.max_body_bytes()).await?;
    // What cannot be read here goes no further: it might be read there.
    let owned: Owned = serde_json::from_slice(&body)
        .map_err(|err| Problem::invalid_field("user_id", err.to_string()))?;
    allow(&identity, owned.user_id)?;
    Ok(forward(proxy, context, Request::from_parts(parts, Body::from(body))).await)
}

/// The list of all orders: for a user, the list of their own.
pub(crate) async fn all_orders(
    proxy: State<Proxy>,
    Extension(identity): Extension<Identity>,
    context: RequestContext,
    mut request: Request,
) -> Result<Response, Problem> {
    if !identity.operator {
        let user_id = identity.user_id.ok_or_else(forbidden)?;
        *request.uri_mut() =
            orders_of(user_id, request.uri().query()).map_err(Problem::internal)?;
    }
    Ok(forward(proxy, context, request).await)
}

fn orders_of(user_id: i64, query: Option<&str>) -> Result<Uri, axum::http::Error> {
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    let path: PathAndQuery = format!("/orders/user/{user_id}{query}").parse()?;
    Ok(Uri::from(path))
}

/// One order. Someone else's is answered as one that does not exist, so that
/// nobody learns which ids there are.
pub(crate) async fn order(
    proxy: State<Proxy>,
    Extension(identity): Extension<Identity>,
    path: PathParams,
    context: RequestContext,
    mut request: Request,
) -> Result<Response, Problem> {
    if identity.operator {
        return Ok(forward(proxy, context, request).await);
    }
    let id: uuid::Uuid = path.parse("id", "Invalid order ID format: expected a UUID")?;
    // The answer to HEAD would not tell whose it is; the body is dropped on the way out.
    *request.method_mut() = Method::GET;
    let response = forward(proxy, context, request).await;
    if response.status() != StatusCode::OK {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = whole(body, MAX_ORDER_BYTES).await?;
    let owner = serde_json::from_slice::<Owned>(&body).map_err(Problem::internal)?;
    if !identity.may_act_for(owner.user_id) {
        return Err(no_order(id));
    }
    Ok(Response::from_parts(parts, Body::from(body)).into_response())
}

/// What the orders service answers too.
pub(crate) fn no_order(id: uuid::Uuid) -> Problem {
    Problem::not_found(format!("there is no order {id}")).titled("Order not found")
}

fn allow(identity: &Identity, user_id: i64) -> Result<(), Problem> {
    if identity.may_act_for(user_id) { Ok(()) } else { Err(forbidden()) }
}

fn forbidden() -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "this belongs to another user").coded("forbidden")
}

pub(crate) async fn whole(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let collected = Limited::new(body, limit).collect().await;
    collected.map(http_body_util::Collected::to_bytes).map_err(|err| {
        if err.is::<http_body_util::LengthLimitError>() {
            let detail = format!("the body is larger than {limit} bytes");
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).with_legacy_members();
        }
        Problem::new(StatusCode::BAD_REQUEST, "the body broke off").caused_by(err)
    })
}
