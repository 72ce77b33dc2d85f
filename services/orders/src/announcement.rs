//! What is told to whoever listens: an order has a new status.

use jiff::Timestamp;
use kit::Money;
use kit::context::Trace;
use kit::database::InTransaction;
use kit::outbox::{self, Message};
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
        tx: &impl InTransaction,
        trace: &Trace,
    ) -> Result<(), tokio_postgres::Error> {
        outbox::announce(tx, self.message(&self.user_id.to_string(), trace)).await
    }

    /// Tells several, in their order; otherwise like [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub async fn write_all(
        announcements: &[(Self, &Trace)],
        tx: &impl InTransaction,
    ) -> Result<(), tokio_postgres::Error> {
        let users: Vec<String> = announcements
            .iter()
            .map(|(announcement, _)| announcement.user_id.to_string())
            .collect();
        let messages: Vec<_> = announcements
            .iter()
            .zip(&users)
            .map(|((announcement, trace), user)| announcement.message(user, trace))
            .collect();
        outbox::announce_all(tx, &messages).await
    }

    fn message<'a>(&'a self, user: &'a str, trace: &'a Trace) -> Message<'a, Self> {
        Message {
            id: Uuid::now_v7(),
            aggregate_type: "order",
            aggregate_id: user,
            r#type: match self.status {
                Status::New | Status::PendingPayment => "order.created",
                Status::Finished => "order.finished",
                Status::Cancelled => "order.cancelled",
            },
            payload: self,
            trace,
        }
    }
}
