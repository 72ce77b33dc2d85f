//! Payment outcomes, as they come to the inbox.

use std::collections::HashSet;

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

/// How an order's payment came out, as an event of the inbox tells.
#[derive(Debug)]
pub struct Told<'a> {
    /// The order.
    pub order_id: Uuid,
    /// How.
    pub outcome: Outcome,
    /// What tells it.
    pub event: &'a Event,
}

/// The payload of a payment's outcome; what else it holds is not needed here.
#[derive(Debug, Deserialize)]
struct PaymentOutcome {
    order_id: Uuid,
    status: Option<String>,
    error: Option<String>,
}

impl Application for Outcomes {
    async fn apply(&self, tx: &Transaction<'_>, events: &[&Event]) -> Result<(), Refusal> {
        let told: Vec<Told<'_>> =
            events.iter().map(|event| Told::new(event)).collect::<Result<_, _>>()?;
        // Of an order that is told of twice, the later ones are compared with the first.
        let mut orders = HashSet::new();
        let (first, later): (Vec<&Told<'_>>, Vec<&Told<'_>>) =
            told.iter().partition(|told| orders.insert(told.order_id));
        let mut ended = store::end(tx, &first).await?;
        let mut announcements = Vec::with_capacity(ended.len());
        let mut not_ended = later;
        for told in first {
            let Told { order_id, outcome, event } = told;
            let Some(Ended { user_id, amount, at }) = ended.remove(order_id) else {
                not_ended.push(told);
                continue;
            };
            let (status, reason) = (outcome.target(), outcome.reason());
            tracing::debug!(%order_id, %status, "order ended");
            let announcement =
                Announcement { order_id: *order_id, user_id, status, reason, amount, at };
            announcements.push((announcement, &event.trace));
        }
        Announcement::write_all(&announcements, tx).await?;
        for told in not_ended {
            compare(tx, told).await?;
        }
        Ok(())
    }

    fn committed(&self) {
        self.wake.wake();
    }
}

impl<'a> Told<'a> {
    fn new(event: &'a Event) -> Result<Self, Refusal> {
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
        Ok(Self { order_id: payload.order_id, outcome, event })
    }
}

/// Looks whether an order that was not open is what it is told to be.
async fn compare(tx: &Transaction<'_>, told: &Told<'_>) -> Result<(), Refusal> {
    let Told { order_id: id, outcome, .. } = told;
    let Some(status) = store::status(tx, *id).await? else {
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
