//! The API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use kit::documentation::{Listing, PageQuery, RepetitionHeader, add_common_refusals};
use kit::extract::{Command, PathParams};
use kit::idempotency::{self, Claim, Reply};
use kit::page::{ByNumber, PageRequest};
use kit::problem::FieldError;
use kit::service::App;
use kit::timeline::Step;
use kit::{Problem, RequestContext};
use serde::Serialize;
use utoipa::OpenApi;
use uuid::Uuid;

use crate::account::{
    Account, Balance, BalanceChange, Change, ChangeRefused, LedgerEntry, NewAccount,
};
use crate::{announcement, store};

/// The routes of the API. Those of collections are accepted with a trailing
/// slash too.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/users", post(open))
        .route("/users/", post(open))
        .route("/users/{user_id}", get(find).patch(change))
        .route("/users/{user_id}/", get(find).patch(change))
        .route("/users/{user_id}/ledger", get(ledger))
        .route("/users/{user_id}/ledger/", get(ledger))
        .route("/payments/{order_id}/timeline", get(timeline))
        .route("/health", get(|| async { "Payments service is healthy!" }))
        .with_state(app)
}

#[derive(OpenApi)]
#[openapi(
    paths(open, find, change, ledger),
    tags((name = "accounts", description = "Accounts, their balances, and what moved them."))
)]
struct Described;

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = Described::openapi();
    add_common_refusals(&mut document);
    document
}

/// Opens a user's account.
#[utoipa::path(
    post, path = "/users", operation_id = "openAccount", tag = "accounts",
    params(RepetitionHeader), request_body = NewAccount,
    responses(
        (status = 201, description = "The account.", body = Account, headers(("Idempotency-Replayed" = bool, description = "Whether this is the answer of an earlier call."))),
        (status = 409, description = "The user has one, or the `Idempotency-Key` was used for another request.",
         body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn open(
    State(app): State<App>,
    context: RequestContext,
    command: Command<NewAccount>,
) -> Result<Reply, Problem> {
    let Command { body: new, key } = command;
    new.validate().map_err(Problem::invalid)?;
    let mut client = app.database.get().await?;
    let tx = client.transaction().await?;
    if let Claim::Known(reply) = idempotency::claim(&tx, key.as_ref()).await? {
        return Ok(reply);
    }
    let account = store::open(&tx, &new).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::CONFLICT,
            format!("Account already exists for this user: {}", new.user_id),
        )
        .typed("account-exists", "Account already exists for this user")
    })?;
    announcement::account_changed(&tx, new.user_id, &context.trace).await?;
    let reply = Reply::json(StatusCode::CREATED, &account)?;
    idempotency::keep(&tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.wake.wake();
    Ok(reply)
}

/// Tells a user's balance.
#[utoipa::path(
    get, path = "/users/{user_id}", operation_id = "getBalance", tag = "accounts",
    params(("user_id" = i64, Path, description = "Whose balance.")),
    responses((status = 200, description = "The balance.", body = Balance), (status = 404, description = "The user has no account.", body = Problem, content_type = "application/problem+json")),
)]
async fn find(State(app): State<App>, path: PathParams) -> Result<Json<Balance>, Problem> {
    let user_id = user_id(&path)?;
    let client = app.database.get().await?;
    let balance = store::balance(&client, user_id).await?.ok_or_else(|| no_account(user_id))?;
    Ok(Json(Balance { user_id, balance }))
}

/// Tops up or withdraws.
///
/// A withdrawal that the balance does not cover is refused with 400.
#[utoipa::path(
    patch, path = "/users/{user_id}", operation_id = "changeBalance", tag = "accounts",
    params(("user_id" = i64, Path, description = "Whose balance."), RepetitionHeader),
    request_body = BalanceChange,
    responses(
        (status = 200, description = "The balance that this change made.", body = Balance, headers(("Idempotency-Replayed" = bool, description = "Whether this is the answer of an earlier call."))),
        (status = 404, description = "The user has no account.", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn change(
    State(app): State<App>,
    path: PathParams,
    context: RequestContext,
    command: Command<BalanceChange>,
) -> Result<Reply, Problem> {
    let user_id = user_id(&path)?;
    let change = Change::from(&command.body);
    let key = command.key;
    let mut client = app.database.get().await?;
    let tx = client.transaction().await?;
    if let Claim::Known(reply) = idempotency::claim(&tx, key.as_ref()).await? {
        return Ok(reply);
    }
    let balance =
        store::change(&tx, user_id, change).await?.map_err(|refusal| refused(user_id, refusal))?;
    if change != Change::Nothing {
        announcement::account_changed(&tx, user_id, &context.trace).await?;
    }
    let reply = Reply::json(StatusCode::OK, &Balance { user_id, balance })?;
    idempotency::keep(&tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    app.wake.wake();
    Ok(reply)
}

/// Lists what moved a user's balance; the amounts add up to it.
#[utoipa::path(
    get, path = "/users/{user_id}/ledger", operation_id = "listLedger", tag = "accounts",
    params(("user_id" = i64, Path, description = "Whose ledger."), PageQuery),
    responses(
        (status = 200, description = "Movements, the newest first.", body = Listing<LedgerEntry>,
         headers(("Link" = String, description = "Where a plain array goes on."))),
        (status = 404, description = "The user has no account.", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn ledger(
    State(app): State<App>,
    path: PathParams,
    page: PageRequest<ByNumber>,
) -> Result<Response, Problem> {
    let user_id = user_id(&path)?;
    let client = app.database.get().await?;
    let entries = store::ledger(&client, user_id, *page.after(), page.fetch()).await?;
    // Every account has its opening entry, so only the end of the list and a
    // missing account show none.
    if entries.is_empty() && store::balance(&client, user_id).await?.is_none() {
        return Err(no_account(user_id));
    }
    Ok(page.respond(entries, |entry| ByNumber(entry.id)))
}

/// What this service has noted of an order's way; nothing for one that it does
/// not know.
#[derive(Debug, Serialize)]
struct Timeline {
    steps: Vec<Step>,
}

async fn timeline(State(app): State<App>, path: PathParams) -> Result<Json<Timeline>, Problem> {
    let order_id: Uuid = path.parse("order_id", "Invalid order ID format: expected a UUID")?;
    let client = app.database.get().await?;
    Ok(Json(Timeline { steps: store::timeline(&client, order_id).await? }))
}

fn user_id(path: &PathParams) -> Result<i64, Problem> {
    path.parse("user_id", "Invalid User ID format: expected an integer")
}

fn no_account(user_id: i64) -> Problem {
    Problem::not_found(format!("Account not found for user {user_id}"))
        .typed("account-not-found", "Account not found for user")
}

fn refused(user_id: i64, refusal: ChangeRefused) -> Problem {
    let blamed = vec![FieldError::new("balance_change", refusal.to_string())];
    match refusal {
        ChangeRefused::NoAccount => no_account(user_id),
        ChangeRefused::InsufficientFunds => Problem::new(
            StatusCode::BAD_REQUEST,
            format!("Insufficient funds: the balance of user {user_id} does not cover the amount"),
        )
        .typed("insufficient-funds", "Insufficient funds")
        .with_errors(blamed),
        ChangeRefused::TooLarge => Problem::invalid(blamed),
    }
}
