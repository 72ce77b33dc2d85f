//! What is told to whoever listens: an order has a new status.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use kit::Money;
use kit::context::Trace;
use kit::outbox;
use serde::Serialize;
use uuid::Uuid;

use crate::order::Status;

/// An order's new status.
#[derive(Clone, Debug, Serialize)]
pub struct Announcement<'a> {
    /// The order.
    pub order_id: Uuid,
    /// Whose it is.
    pub user_id: i64,
    /// What it is now.
    pub status: Status,
    /// Why it was cancelled.
    pub reason: Option<&'a str>,
    /// The price.
    pub amount: Money,
    /// When it became so.
    pub at: Timestamp,
}

impl Announcement<'_> {
    /// Tells it when the transaction commits. Those of one user keep their
    /// order, as far as their transactions do.
    ///
    /// # Errors
    ///
    /// The insert failed; the transaction is then of no more use.
    pub async fn write(
        &self,
        tx: &Transaction<'_>,
        trace: &Trace,
    ) -> Result<(), tokio_postgres::Error> {
        let r#type = match self.status {
            Status::New | Status::PendingPayment => "order.created",
            Status::Finished => "order.finished",
            Status::Cancelled => "order.cancelled",
        };
        let message = outbox::Message {
            id: Uuid::now_v7(),
            aggregate_type: "order",
            aggregate_id: &self.user_id.to_string(),
            r#type,
            payload: self,
            trace,
        };
        outbox::announce(tx, message).await
    }
}
