//! What a payment is and how it comes out.

use std::collections::HashMap;

use jiff::Timestamp;
use kit::Money;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A request to pay an order. What else the message holds is not needed here.
#[derive(Clone, Debug, Deserialize)]
pub struct Task {
    /// The price.
    pub amount: Money,
    /// Who pays.
    pub user_id: i64,
    /// The order.
    pub order_id: Uuid,
}

impl Task {
    /// Checks that the task can be carried out at all.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn validate(&self) -> Result<(), String> {
        if self.amount.is_positive() {
            Ok(())
        } else {
            Err(format!("the amount {} is not greater than zero", self.amount))
        }
    }
}

/// How a payment came out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The amount was taken from the balance.
    Paid,
    /// Nothing was taken.
    Failed(Reason),
}

/// Why a payment failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// The balance does not cover the amount.
    InsufficientFunds,
    /// The user has no account.
    AccountNotFound,
}

impl Reason {
    /// The name in messages and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::AccountNotFound => "account_not_found",
        }
    }
}

impl Outcome {
    /// The type of the message that tells it.
    #[must_use]
    pub fn message_type(self) -> &'static str {
        match self {
            Self::Paid => "payment.succeeded",
            Self::Failed(_) => "payment.failed",
        }
    }

    /// The payment's status.
    #[must_use]
    pub fn status(self) -> &'static str {
        match self {
            Self::Paid => "SUCCESS",
            Self::Failed(_) => "FAILED",
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Paid => None,
            Self::Failed(reason) => Some(reason.as_str()),
        }
    }
}

/// Balances of accounts, by user, from which payments are taken one after another.
#[derive(Clone, Debug, Default)]
pub struct Balances(HashMap<i64, Money>);

impl Balances {
    /// Pays an order, if the balance covers it; returns what is left.
    ///
    /// # Errors
    ///
    /// Why it is not paid; the balance is as before.
    pub fn pay(&mut self, task: &Task) -> Result<Money, Reason> {
        let balance = self.0.get_mut(&task.user_id).ok_or(Reason::AccountNotFound)?;
        let left = balance
            .checked_sub(task.amount)
            .filter(|left| !left.is_negative())
            .ok_or(Reason::InsufficientFunds)?;
        *balance = left;
        Ok(left)
    }
}

impl FromIterator<(i64, Money)> for Balances {
    fn from_iter<T: IntoIterator<Item = (i64, Money)>>(balances: T) -> Self {
        Self(balances.into_iter().collect())
    }
}

/// The message that tells a payment's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Notice {
    payment_id: Uuid,
    order_id: Uuid,
    user_id: i64,
    amount: Money,
    status: &'static str,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

impl Notice {
    /// Tells how the payment of a task came out.
    #[must_use]
    pub fn new(payment_id: Uuid, task: &Task, outcome: Outcome, timestamp: Timestamp) -> Self {
        Self {
            payment_id,
            order_id: task.order_id,
            user_id: task.user_id,
            amount: task.amount,
            status: outcome.status(),
            timestamp,
            error: outcome.reason(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        let json = r#"{"amount":1000.50,"user_id":1,"order_id":"0191d2c2-0000-7000-8000-000000000001","description":"x"}"#;
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_notice_has_an_error_only_when_the_payment_failed() {
        let time: Timestamp = "2026-11-22T12:36:33Z".parse().unwrap();
        let json = |outcome| {
            serde_json::to_string(&Notice::new(Uuid::nil(), &task(), outcome, time)).unwrap()
        };
        let paid = json(Outcome::Paid);
        assert!(
            paid.contains(
                r#""amount":1000.5,"status":"SUCCESS","timestamp":"2026-11-22T12:36:33Z"}"#
            )
        );
        let failed = json(Outcome::Failed(Reason::AccountNotFound));
        assert!(failed.contains(r#""status":"FAILED""#));
        assert!(failed.contains(r#""error":"account_not_found""#));
    }

    #[test]
    fn what_is_paid_is_no_longer_there_for_the_next() {
        let mut balances = Balances::from_iter([(1, Money::from(2500)), (2, Money::ZERO)]);
        assert_eq!(balances.pay(&task()).unwrap().to_string(), "1499.5");
        assert_eq!(balances.pay(&task()).unwrap().to_string(), "499");
        assert_eq!(balances.pay(&task()), Err(Reason::InsufficientFunds));
        let of =
            |user_id, amount: &str| Task { user_id, amount: amount.parse().unwrap(), ..task() };
        assert_eq!(balances.pay(&of(1, "499")), Ok(Money::ZERO));
        assert_eq!(balances.pay(&of(2, "0.0001")), Err(Reason::InsufficientFunds));
        assert_eq!(balances.pay(&of(3, "1")), Err(Reason::AccountNotFound));
    }

    #[test]
    fn a_task_without_a_price_is_refused() {
        assert!(task().validate().is_ok());
        for amount in ["0", "-1"] {
            let task = Task { amount: amount.parse().unwrap(), ..task() };
            assert!(task.validate().unwrap_err().contains(amount));
        }
    }
}
