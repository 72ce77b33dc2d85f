//! Orders in the database.

use deadpool_postgres::{GenericClient, Transaction};
use jiff::Timestamp;
use kit::Money;
use kit::context::Trace;
use kit::database::DatabaseError;
use kit::inbox::Event;
use kit::page::ByTime;
use kit::timeline::Step;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::order::{NewOrder, Order, Outcome, Status, Timeline, UnknownStatus};

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
pub async fn insert(
    tx: &Transaction<'_>,
    id: Uuid,
    new: &NewOrder,
    trace: &Trace,
) -> Result<Order, StoreError> {
    let statement = tx
        .prepare_cached(
            "INSERT INTO orders (id, user_id, amount, description, traceparent) \
             VALUES ($1, $2, $3, $4, $5) \
             RETURNING id, user_id, amount, description, status, reason, created_at, updated_at",
        )
        .await?;
    let description = new.description.as_deref().unwrap_or_default();
    let values: [&(dyn ToSql + Sync); 5] =
        [&id, &new.user_id, &new.amount, &description, &trace.to_string()];
    let row = tx.query_one(&statement, &values).await?;
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

/// The steps of an order that this service has noted.
///
/// # Errors
///
/// The database failed.
pub async fn timeline(
    client: &impl GenericClient,
    id: Uuid,
) -> Result<Option<Timeline>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT user_id, traceparent, created_at, outcome_published_at, outcome_received_at, \
             status, updated_at FROM orders WHERE id = $1",
        )
        .await?;
    let Some(row) = client.query_opt(&statement, &[&id]).await? else {
        return Ok(None);
    };
    let trace: Option<&str> = row.try_get(1)?;
    let status: Status = row.try_get::<_, &str>(5)?.parse()?;
    let ended: Timestamp = row.try_get(6)?;
    let end = match status {
        Status::New | Status::PendingPayment => None,
        Status::Finished => Some(Step { step: "finished", at: ended }),
        Status::Cancelled => Some(Step { step: "cancelled", at: ended }),
    };
    let steps = [
        Some(Step { step: "accepted", at: row.try_get(2)? }),
        Step::at("outcome_published", row.try_get(3)?),
        Step::at("outcome_received", row.try_get(4)?),
        end,
    ];
    Ok(Some(Timeline {
        order_id: id,
        user_id: row.try_get(0)?,
        trace_id: trace.and_then(Trace::parse).map(|trace| trace.trace_id()),
        complete: status.is_terminal(),
        steps: steps.into_iter().flatten().collect(),
    }))
}

/// Lists up to `limit` orders, of a status if one is given, newest first, from
/// the one after `after`.
///
/// # Errors
///
/// The database failed.
pub async fn list(
    client: &impl GenericClient,
    status: Option<Status>,
    after: &ByTime,
    limit: i64,
) -> Result<Vec<Order>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE (created_at, id) < ($1, $2) AND ($4::text IS NULL OR status = $4) \
             ORDER BY created_at DESC, id DESC LIMIT $3",
        )
        .await?;
    let status = status.map(Status::as_str);
    let rows = client.query(&statement, &[&after.created_at, &after.id, &limit, &status]).await?;
    rows.iter().map(from_row).collect()
}

/// Lists up to `limit` orders of a user, of a status if one is given, newest
/// first, from the one after `after`.
///
/// # Errors
///
/// The database failed.
pub async fn list_of_user(
    client: &impl GenericClient,
    user_id: i64,
    status: Option<Status>,
    after: &ByTime,
    limit: i64,
) -> Result<Vec<Order>, StoreError> {
    let statement = client
        .prepare_cached(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE user_id = $1 AND (created_at, id) < ($2, $3) \
             AND ($5::text IS NULL OR status = $5) \
             ORDER BY created_at DESC, id DESC LIMIT $4",
        )
        .await?;
    let status = status.map(Status::as_str);
    let after: [&(dyn ToSql + Sync); 5] = [&user_id, &after.created_at, &after.id, &limit, &status];
    let rows = client.query(&statement, &after).await?;
    rows.iter().map(from_row).collect()
}

/// What is told of an order that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Whose it is.
    pub user_id: i64,
    /// The price.
    pub amount: Money,
    /// When it ended.
    pub at: Timestamp,
}

/// Ends an open order as its payment came out, told by an event of the inbox. `None`: there is no open order
/// of this id.
///
/// # Errors
///
/// The database failed.
pub async fn end(
    tx: &Transaction<'_>,
    id: Uuid,
    outcome: &Outcome,
    event: &Event,
) -> Result<Option<Ended>, StoreError> {
    let statement = tx
        .prepare_cached(
            "UPDATE orders SET status = $2, reason = $3, updated_at = clock_timestamp(), \
             outcome_published_at = $5, \
             outcome_received_at = (SELECT received_at FROM inbox WHERE message_id = $4) \
             WHERE id = $1 AND status IN ('NEW', 'PENDING_PAYMENT') \
             RETURNING user_id, amount, updated_at",
        )
        .await?;
    let status = outcome.target().as_str();
    let values: [&(dyn ToSql + Sync); 5] =
        [&id, &status, &outcome.reason(), &event.id, &event.published_at];
    match tx.query_opt(&statement, &values).await? {
        Some(row) => Ok(Some(Ended {
            user_id: row.try_get(0)?,
            amount: row.try_get(1)?,
            at: row.try_get(2)?,
        })),
        None => Ok(None),
    }
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
