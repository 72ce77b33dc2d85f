//! What an order is and may become.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use kit::Money;
use kit::problem::FieldError;
use kit::timeline::Step;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The longest description, in characters.
pub const MAX_DESCRIPTION: usize = 1000;

/// An order, as clients see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Order {
    /// The order's id; ids grow with time.
    pub id: Uuid,
    /// Who ordered.
    pub user_id: i64,
    /// What was ordered; may be empty.
    pub description: String,
    /// The price, more than zero.
    pub amount: Money,
    /// How far the order is.
    pub status: Status,
    /// Why it was cancelled: `insufficient_funds`, `account_not_found` or `payment_failed`.
    #[schema(required)]
    pub reason: Option<String>,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its status last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// What this service has noted of an order's way; the gateway adds what
/// payments has.
#[derive(Clone, Debug, Serialize)]
pub struct Timeline {
    /// The order.
    pub order_id: Uuid,
    /// Whose it is.
    pub user_id: i64,
    /// The trace it is part of, if known.
    pub trace_id: Option<String>,
    /// Whether its status is final.
    pub complete: bool,
    /// In the order in which they are taken.
    pub steps: Vec<Step>,
}

/// What a client asks for with a new order.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrder {
    /// Who orders.
    #[schema(minimum = 1)]
    pub user_id: i64,
    /// The price.
    pub amount: Money,
    /// What is ordered; without U+0000.
    #[serde(default)]
    #[schema(max_length = 1000, pattern = "^[^\\u0000]*$")]
    pub description: Option<String>,
}

impl NewOrder {
    /// Checks the rules of a new order.
    ///
    /// # Errors
    ///
    /// Every field that breaks one.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.user_id <= 0 {
            errors.push(FieldError::new("user_id", "must be greater than zero"));
        }
        if !self.amount.is_positive() {
            errors.push(FieldError::new("amount", "must be greater than zero"));
        }
        let description = self.description.as_deref().unwrap_or_default();
        if description.chars().count() > MAX_DESCRIPTION {
            let detail = format!("must have at most {MAX_DESCRIPTION} characters");
            errors.push(FieldError::new("description", detail));
        }
        // PostgreSQL text cannot hold it.
        if description.contains('\0') {
            errors.push(FieldError::new("description", "must not contain the character U+0000"));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// How far an order is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Taken, its payment asked for.
    New,
    /// Its payment is under way. In the vocabulary; nothing sets it today.
    PendingPayment,
    /// Paid.
    Finished,
    /// Not paid, for the reason given.
    Cancelled,
}

impl Status {
    const ALL: [Self; 4] = [Self::New, Self::PendingPayment, Self::Finished, Self::Cancelled];

    /// The name in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::PendingPayment => "PENDING_PAYMENT",
            Self::Finished => "FINISHED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the order stays as it is for ever.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled)
    }

    /// What a payment's outcome does to an order of this status.
    #[must_use]
    pub fn on(self, outcome: &Outcome) -> Transition {
        let target = outcome.target();
        if !self.is_terminal() {
            Transition::To(target)
        } else if self == target {
            Transition::None
        } else {
            Transition::Contradiction
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no status.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not an order status")]
pub struct UnknownStatus(String);

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

/// How an order's payment came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Paid.
    Paid,
    /// Not paid, and why.
    Failed {
        /// For example `insufficient_funds`.
        reason: String,
    },
}

impl Outcome {
    /// The status it leads to.
    #[must_use]
    pub fn target(&self) -> Status {
        match self {
            Self::Paid => Status::Finished,
            Self::Failed { .. } => Status::Cancelled,
        }
    }

    /// Why the payment failed, if it did.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Paid => None,
            Self::Failed { reason } => Some(reason),
        }
    }
}

/// What happens to an order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transition {
    /// It gets a new status.
    To(Status),
    /// Nothing: it is there already.
    None,
    /// It has ended the other way; the outcome cannot be true.
    Contradiction,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new_order(user_id: i64, amount: &str, description: Option<&str>) -> NewOrder {
        NewOrder {
            user_id,
            amount: amount.parse().unwrap(),
            description: description.map(str::to_owned),
        }
    }

    fn failed() -> Outcome {
        Outcome::Failed { reason: "insufficient_funds".to_owned() }
    }

    #[test]
    fn every_broken_rule_is_named() {
        assert!(new_order(1, "0.0001", None).validate().is_ok());
        assert!(new_order(1, "1", Some(&"ж".repeat(1000))).validate().is_ok());
        let errors = new_order(-1, "0", Some(&"a".repeat(1001))).validate().unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|err| err.field.as_str()).collect();
        assert_eq!(fields, ["user_id", "amount", "description"]);
        assert!(new_order(1, "-1", None).validate().is_err());
        assert!(new_order(1, "1", Some("a\0b")).validate().is_err());
    }

    #[test]
    fn open_orders_end_as_their_payment_does() {
        for open in [Status::New, Status::PendingPayment] {
            assert_eq!(open.on(&Outcome::Paid), Transition::To(Status::Finished));
            assert_eq!(open.on(&failed()), Transition::To(Status::Cancelled));
        }
    }

    #[test]
    fn ended_orders_stay_as_they_are() {
        assert_eq!(Status::Finished.on(&Outcome::Paid), Transition::None);
        assert_eq!(Status::Cancelled.on(&failed()), Transition::None);
        assert_eq!(Status::Finished.on(&failed()), Transition::Contradiction);
        assert_eq!(Status::Cancelled.on(&Outcome::Paid), Transition::Contradiction);
    }

    #[test]
    fn statuses_read_back_from_their_names() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>().unwrap(), status);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("new".parse::<Status>().is_err());
    }

    proptest! {
        #[test]
        fn only_the_first_outcome_counts(paid in proptest::collection::vec(any::<bool>(), 1..6)) {
            let outcomes: Vec<Outcome> =
                paid.iter().map(|&paid| if paid { Outcome::Paid } else { failed() }).collect();
            let mut status = Status::New;
            for outcome in &outcomes {
                if let Transition::To(next) = status.on(outcome) {
                    status = next;
                }
            }
            prop_assert_eq!(status, outcomes[0].target());
        }
    }
}
