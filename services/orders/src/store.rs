//! Orders in the database.

use deadpool_postgres::{GenericClient, Transaction};
use kit::database::DatabaseError;
use kit::page::ByTime;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::order::{NewOrder, Order, Outcome, Status, UnknownStatus};

/// Why orders could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error(transparent)]
    Database(DatabaseError),
    /// A stored order has a status this version does not know.
    #[error("a stored order cannot be read")]
    Status(#[from] UnknownStatus),
}

impl<E: Into<DatabaseError>> From<E> for StoreError {
    fn from(err: E) -> Self {
        Self::Database(err.into())
    }
}

impl From<StoreError> for kit::Problem {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::Database(err) => err.into(),
            StoreError::Status(err) => Self::internal(err),
        }
    }
}

/// Inserts a new order.
///
/// # Errors
///
/// The database failed.
pub async fn insert(tx: &Transaction<'_>, id: Uuid, new: &NewOrder) -> Result<Order, StoreError> {
    let statement = tx
        .prepare_cached(
            "INSERT INTO orders (id, user_id, amount, description) VALUES ($1, $2, $3, $4) \
             RETURNING id, user_id, amount, description, status, reason, created_at, updated_at",
        )
        .await?;
    let description = new.description.as_deref().unwrap_or_default();
    let row = tx.query_one(&statement, &[&id, &new.user_id, &new.amount, &description]).await?;
    from_row(&row)
}

/// Finds an order.
///
/// # Errors
///
/// The database failed.
pub async fn find(client: &impl GenericClient, id: Uuid) -> Result<Option<Order>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE id = $1",
        )
        .await?;
    let row = client.query_opt(&statement, &[&id]).await?;
    row.as_ref().map(from_row).transpose()
}

/// Lists up to `limit` orders, newest first, from the one after `after`.
///
/// # Errors
///
/// The database failed.
pub async fn list(
    client: &impl GenericClient,
    after: &ByTime,
    limit: i64,
) -> Result<Vec<Order>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE (created_at, id) < ($1, $2) \
             ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .await?;
    let rows = client.query(&statement, &[&after.created_at, &after.id, &limit]).await?;
    rows.iter().map(from_row).collect()
}

/// Lists up to `limit` orders of a user, newest first, from the one after
/// `after`.
///
/// # Errors
///
/// The database failed.
pub async fn list_of_user(
    client: &impl GenericClient,
    user_id: i64,
    after: &ByTime,
    limit: i64,
) -> Result<Vec<Order>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE user_id = $1 AND (created_at, id) < ($2, $3) \
             ORDER BY created_at DESC, id DESC LIMIT $4",
        )
        .await?;
    let rows = client.query(&statement, &[&user_id, &after.created_at, &after.id, &limit]).await?;
    rows.iter().map(from_row).collect()
}

/// Ends an open order as its payment came out. `false`: there is no open
/// order of this id.
///
/// # Errors
///
/// The database failed.
pub async fn end(tx: &Transaction<'_>, id: Uuid, outcome: &Outcome) -> Result<bool, StoreError> {
    let statement = tx
        .prepare_cached(
            "UPDATE orders SET status = $2, reason = $3, updated_at = clock_timestamp() \
             WHERE id = $1 AND status IN ('NEW', 'PENDING_PAYMENT')",
        )
        .await?;
    let status = outcome.target().as_str();
    let changed = tx.execute(&statement, &[&id, &status, &outcome.reason()]).await?;
    Ok(changed == 1)
}

/// An order's status; `None` when there is no such order.
///
/// # Errors
///
/// The database failed.
pub async fn status(tx: &Transaction<'_>, id: Uuid) -> Result<Option<Status>, StoreError> {
    let statement = tx.prepare_cached("SELECT status FROM orders WHERE id = $1").await?;
    match tx.query_opt(&statement, &[&id]).await? {
        Some(row) => Ok(Some(row.try_get::<_, &str>(0)?.parse()?)),
        None => Ok(None),
    }
}

fn from_row(row: &Row) -> Result<Order, StoreError> {
    Ok(Order {
        id: row.try_get(0)?,
        user_id: row.try_get(1)?,
        amount: row.try_get(2)?,
        description: row.try_get(3)?,
        status: row.try_get::<_, &str>(4)?.parse()?,
        reason: row.try_get(5)?,
        created_at: row.try_get(6)?,
        updated_at: row.try_get(7)?,
    })
}
