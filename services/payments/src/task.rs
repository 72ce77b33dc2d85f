//! Payment tasks, as they come to the inbox.

use deadpool_postgres::Transaction;
use jiff::Timestamp;
use kit::inbox::{Application, Event, Refusal};
use kit::{Wake, outbox};
use uuid::Uuid;

use crate::payment::{Notice, Task};
use crate::store::{self, Payment};

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
    async fn apply(&self, tx: &Transaction<'_>, events: &[&Event]) -> Result<(), Refusal> {
        let tasks: Vec<Task> = events.iter().map(|event| task(event)).collect::<Result<_, _>>()?;
        let payments: Vec<Payment<'_>> = tasks
            .iter()
            .zip(events)
            .map(|(task, event)| Payment { id: Uuid::now_v7(), task, event })
            .collect();
        let outcomes = store::pay(tx, &payments).await?;
        let mut notices = Vec::with_capacity(payments.len());
        for (payment, outcome) in payments.iter().zip(outcomes) {
            let Payment { id, task, event } = *payment;
            let order_id = task.order_id;
            match outcome {
                Some(outcome) => notices.push((
                    order_id.to_string(),
                    outcome.message_type(),
                    Notice::new(id, task, outcome, Timestamp::now()),
                    &event.trace,
                )),
                None => tracing::info!(%order_id, "order's payment was decided before"),
            }
        }
        let messages: Vec<_> = notices
            .iter()
            .map(|(order, r#type, notice, trace)| outbox::Message {
                id: Uuid::now_v7(),
                aggregate_type: "payment",
                aggregate_id: order,
                r#type,
                payload: notice,
                trace,
            })
            .collect();
        outbox::write_all(tx, &messages).await?;
        Ok(())
    }

    fn committed(&self) {
        self.wake.wake();
    }
}

fn task(event: &Event) -> Result<Task, Refusal> {
    if event.r#type != PAYMENT_REQUESTED {
        return Err(Refusal::Rejected(format!("unknown event type {:?}", event.r#type)));
    }
    let task: Task = event.payload()?;
    task.validate().map_err(Refusal::Rejected)?;
    Ok(task)
}
