//! What is told to whoever listens: the owner of an account has changed it. A
//! payment is told by its outcome.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use kit::context::Trace;
use kit::outbox;
use serde::Serialize;
use uuid::Uuid;

#[derive(Debug, Serialize)]
struct AccountChanged {
    user_id: i64,
    at: Timestamp,
}

/// Tells that an account's balance or ledger has changed, when the transaction
/// commits.
///
/// # Errors
///
/// The insert failed; the transaction is then of no more use.
pub async fn account_changed(
    tx: &Transaction<'_>,
    user_id: i64,
    trace: &Trace,
) -> Result<(), tokio_postgres::Error> {
    let message = outbox::Message {
        id: Uuid::now_v7(),
        aggregate_type: "account",
        aggregate_id: &user_id.to_string(),
        r#type: "account.changed",
        payload: &AccountChanged { user_id, at: Timestamp::now() },
        trace,
    };
    outbox::announce(tx, message).await
}
