//! Payment tasks, as they come to the inbox.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use kit::inbox::{Application, Event, Refusal};
use kit::{Wake, outbox};
use uuid::Uuid;

use crate::payment::{Notice, Task};
use crate::store;

/// The type of the message that asks for an order's payment.
pub const PAYMENT_REQUESTED: &str = "order.payment_requested";

/// Pays orders.
#[derive(Clone, Debug)]
pub struct Tasks {
    wake: Wake,
}

impl Tasks {
    /// Pays orders, and wakes the sidecar for the outcomes.
    #[must_use]
    pub fn new(wake: Wake) -> Self {
        Self { wake }
    }
}

impl Application for Tasks {
    async fn apply(&self, tx: &Transaction<'_>, event: &Event) -> Result<(), Refusal> {
        if event.r#type != PAYMENT_REQUESTED {
            return Err(Refusal::Rejected(format!("unknown event type {:?}", event.r#type)));
        }
        let task: Task = event.payload()?;
        task.validate().map_err(Refusal::Rejected)?;

        let payment_id = Uuid::now_v7();
        let Some(outcome) = store::pay(tx, payment_id, &task, event).await? else {
            tracing::info!(order_id = %task.order_id, "order's payment was decided before");
            return Ok(());
        };
        let message = outbox::Message {
            id: Uuid::now_v7(),
            aggregate_type: "payment",
            aggregate_id: &task.order_id.to_string(),
            r#type: outcome.message_type(),
            payload: &Notice::new(payment_id, &task, outcome, Timestamp::now()),
            trace: &event.trace,
        };
        outbox::write(tx, message).await?;
        Ok(())
    }

    fn turn(&self, event: &Event) -> i64 {
        // Payments of a user change the same account.
        event.payload::<Task>().map_or(0, |task| task.user_id)
    }

    fn committed(&self) {
        self.wake.wake();
    }
}
