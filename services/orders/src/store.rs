//! Orders in the database.

use std::collections::HashMap;

use deadpool_postgres::{GenericClient, Transaction};
use jiff::Timestamp;
use kit::Money;
use kit::context::Trace;
use kit::database::{DatabaseError, InTransaction};
use kit::page::ByTime;
use kit::timeline::Step;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::order::{NewOrder, Order, Status, Timeline, UnknownStatus};
use crate::outcome::Told;

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
    tx: &impl InTransaction,
    id: Uuid,
    new: &NewOrder,
    trace: &Trace,
) -> Result<Order, StoreError> {
    let client = tx.client();
    let statement = client
        .prepare_cached(
            "INSERT INTO orders (id, user_id, amount, description, traceparent) \
             VALUES ($1, $2, $3, $4, $5) \
             RETURNING id, user_id, amount, description, status, reason, created_at, updated_at",
        )
        .await?;
    let description = new.description.as_deref().unwrap_or_default();
    let values: [&(dyn ToSql + Sync); 5] =
        [&id, &new.user_id, &new.amount, &description, &trace.to_string()];
    let row = client.query_one(&statement, &values).await?;
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
    // As a constant, so that the planner sees when the index `orders_unfinished` will do.
    let of_status =
        status.map_or(String::new(), |status| format!("AND status = '{}'", status.as_str()));
    let statement = client
        .prepare_cached(&format!(
            "SELECT id, user_id, amount, description, status, reason, created_at, updated_at \
             FROM orders WHERE (created_at, id) < ($1, $2) {of_status} \
             ORDER BY created_at DESC, id DESC LIMIT $3"
        ))
        .await?;
    let rows = client.query(&statement, &[&after.created_at, &after.id, &limit]).await?;
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

/// Ends open orders, each told of once, as their payments came out; returns those that were open.
///
/// `coalesce` keeps the planner from walking through all open orders by their index.
///
/// # Errors
///
/// The database failed.
pub async fn end(
    tx: &Transaction<'_>,
    told: &[&Told<'_>],
) -> Result<HashMap<Uuid, Ended>, StoreError> {
    let statement = tx
        .prepare_cached(
            "UPDATE orders SET status = told.status, reason = told.reason, \
             updated_at = clock_timestamp(), outcome_published_at = told.published_at, \
             outcome_received_at = (SELECT received_at FROM inbox WHERE message_id = told.event_id) \
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[]) \
                 AS told (id, status, reason, event_id, published_at) \
             WHERE orders.id = told.id \
             AND coalesce(orders.status) IN ('NEW', 'PENDING_PAYMENT') \
             RETURNING orders.id, user_id, amount, updated_at",
        )
        .await?;
    let ids: Vec<Uuid> = told.iter().map(|told| told.order_id).collect();
    let statuses: Vec<&str> = told.iter().map(|told| told.outcome.target().as_str()).collect();
    let reasons: Vec<Option<&str>> = told.iter().map(|told| told.outcome.reason()).collect();
    let events: Vec<Uuid> = told.iter().map(|told| told.event.id).collect();
    let published: Vec<_> = told.iter().map(|told| told.event.published_at).collect();
    let values: [&(dyn ToSql + Sync); 5] = [&ids, &statuses, &reasons, &events, &published];
    let rows = tx.query(&statement, &values).await?;
    rows.iter()
        .map(|row| {
            let ended =
                Ended { user_id: row.try_get(1)?, amount: row.try_get(2)?, at: row.try_get(3)? };
            Ok((row.try_get(0)?, ended))
        })
        .collect()
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
