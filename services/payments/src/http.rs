//! The API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use kit::Problem;
use kit::extract::{Command, PathParams};
use kit::idempotency::{self, Claim, Reply};
use kit::page::{ByNumber, PageRequest};
use kit::problem::FieldError;
use kit::service::App;

use crate::account::{Balance, BalanceChange, Change, ChangeRefused, NewAccount};
use crate::store;

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
        .route("/health", get(|| async { "Payments service is healthy!" }))
        .with_state(app)
}

async fn open(State(app): State<App>, command: Command<NewAccount>) -> Result<Reply, Problem> {
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
    let reply = Reply::json(StatusCode::CREATED, &account)?;
    idempotency::keep(&tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    Ok(reply)
}

async fn find(State(app): State<App>, path: PathParams) -> Result<Json<Balance>, Problem> {
    let user_id = user_id(&path)?;
    let client = app.database.get().await?;
    let balance = store::balance(&client, user_id).await?.ok_or_else(|| no_account(user_id))?;
    Ok(Json(Balance { user_id, balance }))
}

async fn change(
    State(app): State<App>,
    path: PathParams,
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
    let reply = Reply::json(StatusCode::OK, &Balance { user_id, balance })?;
    idempotency::keep(&tx, key.as_ref(), &reply).await?;
    tx.commit().await?;
    Ok(reply)
}

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
