//! Payment outcomes, as they come to the inbox.

use deadpool_postgres::Transaction;
use kit::Wake;
use kit::inbox::{Application, Event, Refusal};
use serde::Deserialize;
use uuid::Uuid;

use crate::announcement::Announcement;
use crate::order::{Outcome, Transition};
use crate::store::{self, Ended, StoreError};

/// The longest reason stored, in characters.
const MAX_REASON: usize = 200;

/// Applies payment outcomes to orders.
#[derive(Clone, Debug)]
pub struct Outcomes {
    wake: Wake,
}

impl Outcomes {
    /// Applies outcomes, and wakes the sidecar to tell of it.
    #[must_use]
    pub fn new(wake: Wake) -> Self {
        Self { wake }
    }
}

/// The payload of a payment's outcome; what else it holds is not needed here.
#[derive(Debug, Deserialize)]
struct PaymentOutcome {
    order_id: Uuid,
    status: Option<String>,
    error: Option<String>,
}

impl Application for Outcomes {
    async fn apply(&self, tx: &Transaction<'_>, event: &Event) -> Result<(), Refusal> {
        let expected_status = match event.r#type.as_str() {
            "payment.succeeded" => "SUCCESS",
            "payment.failed" => "FAILED",
            other => return Err(Refusal::Rejected(format!("unknown event type {other:?}"))),
        };
        let payload: PaymentOutcome = event.payload()?;
        if let Some(status) = payload.status.as_deref().filter(|status| *status != expected_status)
        {
            return Err(Refusal::Rejected(format!(
                "the payload's status {status:?} contradicts the type {:?}",
                event.r#type
            )));
        }
        let outcome = match expected_status {
            "SUCCESS" => Outcome::Paid,
            _ => Outcome::Failed { reason: reason(payload.error) },
        };
        apply(tx, payload.order_id, &outcome, event).await
    }

    fn committed(&self) {
        self.wake.wake();
    }
}

async fn apply(
    tx: &Transaction<'_>,
    id: Uuid,
    outcome: &Outcome,
    event: &Event,
) -> Result<(), Refusal> {
    if let Some(Ended { user_id, amount, at }) = store::end(tx, id, outcome, event).await? {
        let (status, reason) = (outcome.target(), outcome.reason());
        tracing::debug!(order_id = %id, %status, "order ended");
        let announcement = Announcement { order_id: id, user_id, status, reason, amount, at };
        announcement.write(tx, &event.trace).await?;
        return Ok(());
    }
    let Some(status) = store::status(tx, id).await? else {
        return Err(Refusal::Rejected(format!("there is no order {id}")));
    };
    match status.on(outcome) {
        Transition::None => Ok(()),
        Transition::Contradiction => Err(Refusal::Rejected(format!(
            "order {id} is {status} and cannot become {}",
            outcome.target()
        ))),
        // Open orders are never opened again, so one that was not open for
        // the update cannot be open now.
        Transition::To(_) => Err(Refusal::Rejected(format!("order {id} changed meanwhile"))),
    }
}

fn reason(error: Option<String>) -> String {
    let error: String = error
        .unwrap_or_default()
        .chars()
        .filter(|character| *character != '\0')
        .take(MAX_REASON)
        .collect();
    if error.is_empty() { "payment_failed".to_owned() } else { error }
}

impl From<StoreError> for Refusal {
    fn from(err: StoreError) -> Self {
        match err {
            StoreError::Database(err) => err.into(),
            StoreError::Status(err) => Self::Rejected(err.to_string()),
        }
    }
}
