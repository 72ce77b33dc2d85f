//! Accounts, payments and the ledger in the database.

use deadpool_postgres::{GenericClient, Transaction};
use kit::Money;
use kit::database::DatabaseError;
use kit::inbox::Event;
use kit::page::ByNumber;
use kit::timeline::Step;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::account::{Account, Change, ChangeRefused, LedgerEntry, NewAccount};
use crate::payment::{Outcome, Reason, Task};

/// Opens an account; `None` when the user has one.
///
/// # Errors
///
/// The database failed.
pub async fn open(
    tx: &Transaction<'_>,
    new: &NewAccount,
) -> Result<Option<Account>, DatabaseError> {
    let statement = tx
        .prepare_cached(
            "WITH opened AS ( \
                 INSERT INTO accounts (id, user_id, balance) VALUES ($1, $2, $3) \
                 ON CONFLICT (user_id) DO NOTHING \
                 RETURNING id, user_id, balance, created_at, updated_at) \
             SELECT * FROM opened",
        )
        .await?;
    let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&Uuid::now_v7(), &new.user_id, &new.opening()];
    let Some(row) = tx.query_opt(&statement, &params).await? else {
        return Ok(None);
    };
    let account = Account {
        id: row.try_get(0)?,
        user_id: row.try_get(1)?,
        balance: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
    };
    let statement = tx
        .prepare_cached(
            "INSERT INTO ledger (user_id, kind, amount, balance_after) VALUES ($1, 'opening', $2, $2)",
        )
        .await?;
    tx.execute(&statement, &[&account.user_id, &account.balance]).await?;
    Ok(Some(account))
}

/// A user's balance; `None` when there is no account. Waits for nobody.
///
/// # Errors
///
/// The database failed.
pub async fn balance(
    client: &impl GenericClient,
    user_id: i64,
) -> Result<Option<Money>, DatabaseError> {
    let statement =
        client.prepare_cached("SELECT balance FROM accounts WHERE user_id = $1").await?;
    match client.query_opt(&statement, &[&user_id]).await? {
        Some(row) => Ok(Some(row.try_get(0)?)),
        None => Ok(None),
    }
}

/// Changes a balance; returns what it is by this very change.
///
/// # Errors
///
/// The database failed; the inner result tells why the change was refused.
pub async fn change(
    tx: &Transaction<'_>,
    user_id: i64,
    change: Change,
) -> Result<Result<Money, ChangeRefused>, DatabaseError> {
    let (kind, amount, refusal) = match change {
        Change::Nothing => {
            return Ok(balance(tx, user_id).await?.ok_or(ChangeRefused::NoAccount));
        }
        Change::TopUp(amount) => ("top_up", amount, ChangeRefused::TooLarge),
        Change::Withdrawal(amount) => ("withdrawal", amount, ChangeRefused::InsufficientFunds),
    };
    if let Some(balance) = post(tx, user_id, kind, amount, None).await? {
        return Ok(Ok(balance));
    }
    Ok(Err(match balance(tx, user_id).await? {
        Some(_) => refusal,
        None => ChangeRefused::NoAccount,
    }))
}

/// Moves a balance and writes the ledger entry, under the lock of the
/// account's row; the balance after it. `None`: there is no account, or the
/// balance would leave its range.
async fn post(
    tx: &Transaction<'_>,
    user_id: i64,
    kind: &str,
    amount: Money,
    order_id: Option<Uuid>,
) -> Result<Option<Money>, DatabaseError> {
    let statement = tx
        .prepare_cached(
            "WITH moved AS ( \
                 UPDATE accounts SET balance = balance + $2, updated_at = clock_timestamp() \
                 WHERE user_id = $1 AND balance + $2 BETWEEN 0 AND 999999999999999.9999 \
                 RETURNING balance) \
             INSERT INTO ledger (user_id, kind, amount, balance_after, order_id) \
             SELECT $1, $3::text, $2, balance, $4::uuid FROM moved \
             RETURNING balance_after",
        )
        .await?;
    match tx.query_opt(&statement, &[&user_id, &amount, &kind, &order_id]).await? {
        Some(row) => Ok(Some(row.try_get(0)?)),
        None => Ok(None),
    }
}

/// The steps of an order that this service has noted.
///
/// # Errors
///
/// The database failed.
pub async fn timeline(
    client: &impl GenericClient,
    order_id: Uuid,
) -> Result<Vec<Step>, DatabaseError> {
    let statement = client
        .prepare_cached(
            "SELECT task_published_at, task_received_at, status, created_at FROM payments \
             WHERE order_id = $1",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&order_id]).await? else {
        return Ok(Vec::new());
    };
    let step = if row.try_get::<_, &str>(2)? == "SUCCESS" { "paid" } else { "refused" };
    let steps = [
        Step::at("task_published", row.try_get(0)?),
        Step::at("task_received", row.try_get(1)?),
        Some(Step { step, at: row.try_get(3)? }),
    ];
    Ok(steps.into_iter().flatten().collect())
}

/// Pays an order, once, as an event of the inbox asks. `None` when its payment has been decided before.
///
/// The payment's row comes first: a second payment of the same order waits
/// for this transaction there and then does nothing. The balance comes after
/// it, so that its lock, which all payments of one user need, is held for a
/// shorter time.
///
/// # Errors
///
/// The database failed.
pub async fn pay(
    tx: &Transaction<'_>,
    payment_id: Uuid,
    task: &Task,
    event: &Event,
) -> Result<Option<Outcome>, DatabaseError> {
    // Most payments succeed, so they are taken for successful at first; no
    // one sees it before the transaction commits.
    let insert = tx
        .prepare_cached(
            "INSERT INTO payments \
                 (id, order_id, user_id, amount, status, task_published_at, task_received_at) \
             VALUES ($1, $2, $3, $4, 'SUCCESS', $6, \
             (SELECT received_at FROM inbox WHERE message_id = $5)) ON CONFLICT (order_id) DO NOTHING",
        )
        .await?;
    let values: [&(dyn ToSql + Sync); 6] =
        [&payment_id, &task.order_id, &task.user_id, &task.amount, &event.id, &event.published_at];
    let inserted = tx.execute(&insert, &values).await?;
    if inserted == 0 {
        return Ok(None);
    }
    let paid = post(tx, task.user_id, "payment", -task.amount, Some(task.order_id)).await?;
    if paid.is_some() {
        return Ok(Some(Outcome::Paid));
    }
    let reason = match balance(tx, task.user_id).await? {
        Some(_) => Reason::InsufficientFunds,
        None => Reason::AccountNotFound,
    };
    let fail = tx
        .prepare_cached("UPDATE payments SET status = 'FAILED', reason = $2 WHERE id = $1")
        .await?;
    tx.execute(&fail, &[&payment_id, &reason.as_str()]).await?;
    Ok(Some(Outcome::Failed(reason)))
}

/// Lists up to `limit` movements of a user's balance, newest first, from the
/// one after `after`.
///
/// # Errors
///
/// The database failed.
pub async fn ledger(
    client: &impl GenericClient,
    user_id: i64,
    after: ByNumber,
    limit: i64,
) -> Result<Vec<LedgerEntry>, DatabaseError> {
    let statement = client
        .prepare_cached(
            "SELECT id, kind, amount, balance_after, order_id, created_at FROM ledger \
             WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&user_id, &after.0, &limit]).await?;
    rows.iter()
        .map(|row| {
            Ok(LedgerEntry {
                id: row.try_get(0)?,
                kind: row.try_get(1)?,
                amount: row.try_get(2)?,
                balance_after: row.try_get(3)?,
                order_id: row.try_get(4)?,
                created_at: row.try_get(5)?,
            })
        })
        .collect()
}
