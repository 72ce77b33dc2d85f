//! Accounts, payments and the ledger in the database.

use std::collections::HashSet;

use deadpool_postgres::{GenericClient, Transaction};
use kit::Money;
use kit::database::DatabaseError;
use kit::inbox::Event;
use kit::page::ByNumber;
use kit::timeline::Step;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::account::{Account, Change, ChangeRefused, LedgerEntry, NewAccount};
use crate::payment::{Balances, Outcome, Reason, Task};

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
    if let Some(balance) = post(tx, user_id, kind, amount).await? {
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
) -> Result<Option<Money>, DatabaseError> {
    let statement = tx
        .prepare_cached(
            "WITH moved AS ( \
                 UPDATE accounts SET balance = balance + $2, updated_at = clock_timestamp() \
                 WHERE user_id = $1 AND balance + $2 BETWEEN 0 AND 999999999999999.9999 \
                 RETURNING balance) \
             INSERT INTO ledger (user_id, kind, amount, balance_after) \
             SELECT $1, $3::text, $2, balance FROM moved \
             RETURNING balance_after",
        )
        .await?;
    match tx.query_opt(&statement, &[&user_id, &amount, &kind]).await? {
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

/// A payment that an event of the inbox asks for.
#[derive(Clone, Copy, Debug)]
pub struct Payment<'a> {
    /// Its id.
    pub id: Uuid,
    /// What is paid.
    pub task: &'a Task,
    /// What asks for it.
    pub event: &'a Event,
}

/// Makes payments, one after another, by a few statements for all of them; says how each came
/// out. `None`: the order's payment has been decided before.
///
/// The payments' rows come first: a second payment of the same order waits for this transaction
/// there and then does nothing. The balances come after them, so that their locks, which all
/// payments of one user need, are held for a shorter time; they are taken in the users' order.
///
/// # Errors
///
/// The database failed.
pub async fn pay(
    tx: &Transaction<'_>,
    payments: &[Payment<'_>],
) -> Result<Vec<Option<Outcome>>, DatabaseError> {
    let (new, mut balances) = tokio::try_join!(insert(tx, payments), lock(tx, payments))?;
    let mut entries = Entries::default();
    let mut failures: Vec<(Uuid, Reason)> = Vec::new();
    let mut outcomes = Vec::with_capacity(payments.len());
    for payment in payments {
        if !new.contains(&payment.id) {
            outcomes.push(None);
            continue;
        }
        outcomes.push(Some(match balances.pay(payment.task) {
            Ok(balance) => {
                entries.add(payment.task, balance);
                Outcome::Paid
            }
            Err(reason) => {
                failures.push((payment.id, reason));
                Outcome::Failed(reason)
            }
        }));
    }
    tokio::try_join!(post_payments(tx, &entries), fail(tx, &failures))?;
    Ok(outcomes)
}

/// Inserts the payments; returns those that are new. Most succeed, so they are taken for
/// successful at first; no one sees it before the transaction commits.
async fn insert(
    tx: &Transaction<'_>,
    payments: &[Payment<'_>],
) -> Result<HashSet<Uuid>, DatabaseError> {
    let statement = tx
        .prepare_cached(
            "INSERT INTO payments \
                 (id, order_id, user_id, amount, status, task_published_at, task_received_at) \
             SELECT new.id, order_id, user_id, amount, 'SUCCESS', published_at, \
                 (SELECT received_at FROM inbox WHERE message_id = event_id) \
             FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::numeric[], $5::timestamptz[], $6::uuid[]) \
                 AS new (id, order_id, user_id, amount, published_at, event_id) \
             ON CONFLICT (order_id) DO NOTHING RETURNING id",
        )
        .await?;
    let ids: Vec<Uuid> = payments.iter().map(|payment| payment.id).collect();
    let orders: Vec<Uuid> = payments.iter().map(|payment| payment.task.order_id).collect();
    let amounts: Vec<Money> = payments.iter().map(|payment| payment.task.amount).collect();
    let published: Vec<_> = payments.iter().map(|payment| payment.event.published_at).collect();
    let events: Vec<Uuid> = payments.iter().map(|payment| payment.event.id).collect();
    let values: [&(dyn ToSql + Sync); 6] =
        [&ids, &orders, &users(payments), &amounts, &published, &events];
    let rows = tx.query(&statement, &values).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The balances of the payments' users, locked.
async fn lock(tx: &Transaction<'_>, payments: &[Payment<'_>]) -> Result<Balances, DatabaseError> {
    let statement = tx
        .prepare_cached(
            "SELECT user_id, balance FROM accounts WHERE user_id = ANY($1) \
             ORDER BY user_id FOR NO KEY UPDATE",
        )
        .await?;
    let rows = tx.query(&statement, &[&users(payments)]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

fn users(payments: &[Payment<'_>]) -> Vec<i64> {
    payments.iter().map(|payment| payment.task.user_id).collect()
}

/// Ledger entries of payments, in their order.
#[derive(Debug, Default)]
struct Entries {
    users: Vec<i64>,
    amounts: Vec<Money>,
    balances: Vec<Money>,
    orders: Vec<Uuid>,
}

impl Entries {
    fn add(&mut self, task: &Task, balance: Money) {
        self.users.push(task.user_id);
        self.amounts.push(-task.amount);
        self.balances.push(balance);
        self.orders.push(task.order_id);
    }
}

/// Writes the ledger entries, and each account's balance as of the last of its entries.
async fn post_payments(tx: &Transaction<'_>, entries: &Entries) -> Result<(), DatabaseError> {
    if entries.users.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached(
            "WITH entry AS MATERIALIZED ( \
                 SELECT * FROM unnest($1::bigint[], $2::numeric[], $3::numeric[], $4::uuid[]) \
                     WITH ORDINALITY AS e (user_id, amount, balance, order_id, number)), \
             moved AS ( \
                 UPDATE accounts SET balance = last.balance, updated_at = clock_timestamp() \
                 FROM (SELECT DISTINCT ON (user_id) user_id, balance FROM entry \
                       ORDER BY user_id, number DESC) AS last \
                 WHERE accounts.user_id = last.user_id) \
             INSERT INTO ledger (user_id, kind, amount, balance_after, order_id) \
             SELECT user_id, 'payment', amount, balance, order_id FROM entry ORDER BY number",
        )
        .await?;
    let Entries { users, amounts, balances, orders } = entries;
    tx.execute(&statement, &[users, amounts, balances, orders]).await?;
    Ok(())
}

async fn fail(tx: &Transaction<'_>, failures: &[(Uuid, Reason)]) -> Result<(), DatabaseError> {
    if failures.is_empty() {
        return Ok(());
    }
    let statement = tx
        .prepare_cached(
            "UPDATE payments SET status = 'FAILED', reason = failed.reason \
             FROM unnest($1::uuid[], $2::text[]) AS failed (id, reason) WHERE payments.id = failed.id",
        )
        .await?;
    let ids: Vec<Uuid> = failures.iter().map(|(id, _)| *id).collect();
    let reasons: Vec<&str> = failures.iter().map(|(_, reason)| reason.as_str()).collect();
    tx.execute(&statement, &[&ids, &reasons]).await?;
    Ok(())
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
