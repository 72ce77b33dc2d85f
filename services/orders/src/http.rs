//! The API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use kit::extract::{Command, PathParams};
use kit::idempotency::{self, Claim, Reply};
use kit::page::{ByTime, PageRequest};
use kit::service::App;
use kit::{Problem, RequestContext, outbox};
use serde::Serialize;
use uuid::Uuid;

use crate::order::{NewOrder, Order};
use crate::store;

/// The type of the message that asks for an order's payment.
pub const PAYMENT_REQUESTED: &str = "order.payment_requested";

/// The routes of the API. Lists are accepted with a trailing slash too.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/orders", get(list).post(create))
        .route("/orders/", get(list).post(create))
        .route("/orders/{id}", get(find))
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

/// Takes an order: stores it and the request for its payment in one
/// transaction.
async fn create(
    State(app): State<App>,
    context: RequestContext,
    command: Command<NewOrder>,
) -> Result<Reply, Problem> {
    let Command { body: new, key } = command;
    new.validate().map_err(|errors| Problem::invalid(errors).titled("Invalid order data"))?;
    let mut client = app.database.get().await?;
    let tx = client.transaction().await?;
    if let Claim::Known(reply) = idempotency::claim(&tx, key.as_ref()).await? {
        return Ok(reply);
    }
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
    // Sent together, which saves one round trip to the database.
    let (order, ()) = tokio::try_join!(
        async { store::insert(&tx, id, &new).await.map_err(Problem::from) },
        async { outbox::write(&tx, message).await.map_err(Problem::from) },
    )?;
    let reply = Reply::json(StatusCode::CREATED, &order)?;
    idempotency::keep(&tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.wake.wake();
    Ok(reply)
}

async fn find(State(app): State<App>, path: PathParams) -> Result<Json<Order>, Problem> {
    let id: Uuid = path.parse("id", "Invalid order ID format: expected a UUID")?;
    let client = app.database.get().await?;
    store::find(&client, id).await?.map(Json).ok_or_else(|| {
        Problem::not_found(format!("there is no order {id}")).titled("Order not found")
    })
}

async fn list(State(app): State<App>, page: PageRequest<ByTime>) -> Result<Response, Problem> {
    let client = app.database.get().await?;
    let orders = store::list(&client, page.after(), page.fetch()).await?;
    Ok(page.respond(orders, position))
}

async fn list_of_user(
    State(app): State<App>,
    path: PathParams,
    page: PageRequest<ByTime>,
) -> Result<Response, Problem> {
    let user_id: i64 = path.parse("user_id", "Invalid User ID: expected an integer")?;
    let client = app.database.get().await?;
    let orders = store::list_of_user(&client, user_id, page.after(), page.fetch()).await?;
    Ok(page.respond(orders, position))
}

fn position(order: &Order) -> ByTime {
    ByTime { created_at: order.created_at, id: order.id }
}
