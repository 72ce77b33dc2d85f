//! The API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use kit::documentation::{Listing, PageQuery, RepetitionHeader, add_common_refusals};
use kit::extract::{Command, PathParams};
use kit::idempotency::{self, Claim, Reply};
use kit::page::{ByTime, Filter, PageRequest};
use kit::service::App;
use kit::{Problem, RequestContext, outbox};
use serde::Serialize;
use utoipa::OpenApi;
use uuid::Uuid;

use crate::announcement::Announcement;
use crate::order::{NewOrder, Order, Status, Timeline};
use crate::store;

/// The type of the message that asks for an order's payment.
pub const PAYMENT_REQUESTED: &str = "order.payment_requested";

/// The routes of the API. Lists are accepted with a trailing slash too.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/orders", get(list).post(create))
        .route("/orders/", get(list).post(create))
        .route("/orders/{id}", get(find))
        .route("/orders/{id}/timeline", get(timeline))
        .route("/orders/user/{user_id}", get(list_of_user))
        .route("/orders/user/{user_id}/", get(list_of_user))
        .route("/health", get(|| async { "Orders service is healthy!" }))
        .with_state(app)
}

/// The message that asks for an order's payment.
#[derive(Debug, Serialize)]
struct PaymentRequested<'a> {
    amount: kit::Money,
    user_id: i64,
    order_id: Uuid,
    description: &'a str,
}

#[derive(OpenApi)]
#[openapi(
    paths(create, list, find, list_of_user),
    tags((name = "orders", description = "Placing orders, and what became of them."))
)]
struct Described;

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Described::openapi();
    add_common_refusals(&mut document);
    document
}

/// Places an order.
///
/// It is stored together with the request for its payment, and answered `NEW`; the
/// payment comes afterwards.
#[utoipa::path(
    post, path = "/orders", operation_id = "placeOrder", tag = "orders",
    params(RepetitionHeader), request_body = NewOrder,
    responses((
        status = 201, description = "The order.", body = Order,
        headers(("Idempotency-Replayed" = bool, description = "Whether this is the answer of an earlier call.")),
    )),
)]
async fn create(
    State(app): State<App>,
    context: RequestContext,
    command: Command<NewOrder>,
) -> Result<Reply, Problem> {
    let Command { body: new, key } = command;
    new.validate().map_err(|errors| Problem::invalid(errors).titled("Invalid order data"))?;
    let id = Uuid::now_v7();
    let message = outbox::Message {
        id: Uuid::now_v7(),
        aggregate_type: "order",
        aggregate_id: &id.to_string(),
        r#type: PAYMENT_REQUESTED,
        payload: &PaymentRequested {
            amount: new.amount,
            user_id: new.user_id,
            order_id: id,
            description: new.description.as_deref().unwrap_or_default(),
        },
        trace: &context.trace,
    };
    let announcement = Announcement {
        order_id: id,
        user_id: new.user_id,
        status: Status::New,
        reason: None,
        amount: new.amount,
        at: Timestamp::now(),
    };
    let tx = app.database.pipelined().await?;
    let written = tx.begin_with(async {
        tokio::try_join!(
            idempotency::find(&tx, key.as_ref()),
            async { store::insert(&tx, id, &new, &context.trace).await.map_err(Problem::from) },
            async { outbox::write(&tx, message).await.map_err(Problem::from) },
            async { announcement.write(&tx, &context.trace).await.map_err(Problem::from) },
        )
    });
    let (claim, order, (), ()) = written.await?;
    if let Claim::Known(reply) = claim {
        tx.rollback().await?;
        return Ok(reply);
    }
    let reply = Reply::json(StatusCode::CREATED, &order)?;
    if let Claim::Known(reply) = idempotency::commit(&tx, key.as_ref(), &reply).await? {
        return Ok(reply);
    }
    app.wake.wake();
    Ok(reply)
}

/// Tells of an order.
#[utoipa::path(
    get, path = "/orders/{id}", operation_id = "getOrder", tag = "orders",
    params(("id" = Uuid, Path, description = "The order's id.")),
    responses(
        (status = 200, description = "The order.", body = Order),
        (status = 404, description = "There is no such order.", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn find(State(app): State<App>, path: PathParams) -> Result<Json<Order>, Problem> {
    let id: Uuid = path.parse("id", "Invalid order ID format: expected a UUID")?;
    let client = app.database.get().await?;
    store::find(&client, id).await?.map(Json).ok_or_else(|| no_order(id))
}

async fn timeline(State(app): State<App>, path: PathParams) -> Result<Json<Timeline>, Problem> {
    let id: Uuid = path.parse("id", "Invalid order ID format: expected a UUID")?;
    let client = app.database.get().await?;
    store::timeline(&client, id).await?.map(Json).ok_or_else(|| no_order(id))
}

fn no_order(id: Uuid) -> Problem {
    Problem::not_found(format!("there is no order {id}")).titled("Order not found")
}

/// Orders of one status, or of any.
#[derive(Debug, Default)]
struct OfStatus(Option<Status>);

impl Filter for OfStatus {
    const NAMES: &'static str = "limit, after or status";

    fn set(&mut self, name: &str, value: &str) -> Option<Result<(), Problem>> {
        if name != "status" {
            return None;
        }
        Some(match value.parse() {
            Ok(status) => {
                self.0 = Some(status);
                Ok(())
            }
            Err(_) => Err(Problem::invalid_field(
                "status",
                "expected NEW, PENDING_PAYMENT, FINISHED or CANCELLED",
            )),
        })
    }
}

/// Lists the orders of all users.
#[utoipa::path(
    get, path = "/orders", operation_id = "listOrders", tag = "orders",
    params(PageQuery, ("status" = Option<Status>, Query, description = "Only orders of this status.")),
    responses((
        status = 200, description = "Orders, the newest first.", body = Listing<Order>,
        headers(("Link" = String, description = "Where a plain array goes on.")),
    )),
)]
async fn list(
    State(app): State<App>,
    page: PageRequest<ByTime, OfStatus>,
) -> Result<Response, Problem> {
    let client = app.database.get().await?;
    let orders = store::list(&client, page.filter().0, page.after(), page.fetch()).await?;
    Ok(page.respond(orders, position))
}

/// Lists the orders of a user; none for a user that is not known.
#[utoipa::path(
    get, path = "/orders/user/{user_id}", operation_id = "listOrdersOfUser", tag = "orders",
    params(
        ("user_id" = i64, Path, description = "Whose orders."), PageQuery,
        ("status" = Option<Status>, Query, description = "Only orders of this status."),
    ),
    responses((
        status = 200, description = "Orders, the newest first.", body = Listing<Order>,
        headers(("Link" = String, description = "Where a plain array goes on.")),
    )),
)]
async fn list_of_user(
    State(app): State<App>,
    path: PathParams,
    page: PageRequest<ByTime, OfStatus>,
) -> Result<Response, Problem> {
    let user_id: i64 = path.parse("user_id", "Invalid User ID: expected an integer")?;
    let client = app.database.get().await?;
    let status = page.filter().0;
    let orders = store::list_of_user(&client, user_id, status, page.after(), page.fetch()).await?;
    Ok(page.respond(orders, position))
}

fn position(order: &Order) -> ByTime {
    ByTime { created_at: order.created_at, id: order.id }
}
