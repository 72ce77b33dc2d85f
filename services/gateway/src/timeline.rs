//! An order's way through both services.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use kit::extract::PathParams;
use kit::{Problem, RequestContext};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::identity::Identity;
use crate::ownership::{no_order, whole};
use crate::proxy::{Proxy, forward};

/// The largest answer of a service.
const MAX_BYTES: usize = 64 * 1024;

/// The steps in the order in which they cause one another. Each notes its time by another
/// clock, so times do not tell which was first.
const ORDER: [&str; 9] = [
    "accepted",
    "task_published",
    "task_received",
    "paid",
    "refused",
    "outcome_published",
    "outcome_received",
    "finished",
    "cancelled",
];

/// The services that note steps.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) orders: Proxy,
    pub(crate) payments: Proxy,
}

#[derive(Deserialize)]
struct OfOrders {
    user_id: i64,
    trace_id: Option<String>,
    complete: bool,
    steps: Vec<Noted>,
}

#[derive(Deserialize)]
struct OfPayments {
    steps: Vec<Noted>,
}

#[derive(Deserialize)]
struct Noted {
    step: String,
    at: Timestamp,
}

/// An order's way through both services.
#[derive(Serialize, ToSchema)]
pub(crate) struct Timeline {
    /// The order.
    order_id: Uuid,
    /// What it is found by in traces, if it was traced.
    #[schema(required)]
    trace_id: Option<String>,
    /// Whether the order has come to its end.
    complete: bool,
    /// What has happened to it, each step behind the one that caused it. Steps of which the time is not
    /// known are left out.
    steps: Vec<Step>,
}

/// A step of it.
#[derive(Serialize, ToSchema)]
#[schema(as = TimelineStep)]
pub(crate) struct Step {
    /// `accepted`; `task_published` to Kafka; `task_received` by the payments service; `paid`
    /// or `refused`; `outcome_published` to Kafka; `outcome_received` by the orders service;
    /// `finished` or `cancelled`.
    step: String,
    /// When, by the clock of the service's database; of the steps to Kafka the record's timestamp, in
    /// milliseconds, by the producer's or broker's clock. Clocks differ: it may be before that of the step ahead.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Milliseconds since the first step; never less than those of the step ahead.
    elapsed_ms: f64,
}

/// Tells when which step of an order's way was done.
#[utoipa::path(
    get, path = "/orders/{id}/timeline", operation_id = "followOrder", tag = "orders",
    params(("id" = Uuid, Path, description = "The order's id.")),
    responses(
        (status = 200, description = "Its way so far.", body = Timeline),
        (status = 404, description = "There is no such order.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn timeline(
    State(services): State<Services>,
    Extension(identity): Extension<Identity>,
    path: PathParams,
    context: RequestContext,
    request: Request,
) -> Result<Response, Problem> {
    let id: Uuid = path.parse("id", "Invalid order ID format: expected a UUID")?;
    let client = request.extensions().get::<ConnectInfo<SocketAddr>>().copied();
    let ask = |proxy: Proxy, path: String| ask(proxy, path, context.clone(), client);
    let orders: OfOrders = match ask(services.orders, format!("/orders/{id}/timeline")).await? {
        Answer::Known(orders) => orders.read()?,
        Answer::Other(response) => return Ok(response),
    };
    if !identity.may_act_for(orders.user_id) {
        return Err(no_order(id));
    }
    let path = format!("/payments/{id}/timeline");
    let payments: OfPayments = match ask(services.payments, path).await? {
        Answer::Known(payments) => payments.read()?,
        Answer::Other(response) => return Ok(response),
    };
    let OfOrders { trace_id, complete, steps: noted, .. } = orders;
    let steps = merged(noted.into_iter().chain(payments.steps).collect());
    let timeline = Timeline { order_id: id, trace_id, complete, steps };
    Ok(Json(timeline).into_response())
}

/// In the order of [`ORDER`], those that are not in it last. A step that seems to be before the
/// one that caused it is told to have taken no time.
fn merged(mut noted: Vec<Noted>) -> Vec<Step> {
    noted.sort_by_key(|noted| {
        let place = ORDER.iter().position(|step| *step == noted.step);
        (place.unwrap_or(ORDER.len()), noted.at)
    });
    let first = noted.first().map(|step| step.at).unwrap_or_default();
    let mut elapsed_ms: f64 = 0.0;
    noted
        .into_iter()
        .map(|Noted { step, at }| {
            elapsed_ms = elapsed_ms.max(milliseconds(at, first));
            Step { step, at, elapsed_ms }
        })
        .collect()
}

/// To the microsecond, which is what the databases note.
fn milliseconds(at: Timestamp, first: Timestamp) -> f64 {
    let micros = at.as_microsecond().saturating_sub(first.as_microsecond());
    micros as f64 / 1000.0
}

enum Answer {
    Known(Document),
    /// To be passed on as it is.
    Other(Response),
}

struct Document(axum::body::Bytes);

impl Document {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.0).map_err(Problem::internal)
    }
}

async fn ask(
    proxy: Proxy,
    path: String,
    context: RequestContext,
    client: Option<ConnectInfo<SocketAddr>>,
) -> Result<Answer, Problem> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse::<Uri>().map_err(Problem::internal)?;
    if let Some(client) = client {
        request.extensions_mut().insert(client);
    }
    let response = forward(State(proxy), context, request).await;
    if response.status() != StatusCode::OK {
        return Ok(Answer::Other(response));
    }
    let body = whole(response.into_body(), MAX_BYTES).await?;
    Ok(Answer::Known(Document(body)))
}
