//! What an account is and how its balance moves.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use kit::Money;
use kit::problem::FieldError;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user's account, as the answer to opening it shows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    /// The account's id.
    pub id: Uuid,
    /// Whose it is; a user has one account.
    pub user_id: i64,
    /// What is on it, never less than zero.
    pub balance: Money,
    /// When it was opened.
    #[serde(serialize_with = "http_date")]
    #[schema(value_type = String, example = "Sun, 22 Nov 2026 12:36:33 GMT")]
    pub created_at: Timestamp,
    /// When its balance last changed.
    #[serde(serialize_with = "http_date")]
    #[schema(value_type = String, example = "Sun, 22 Nov 2026 12:36:33 GMT")]
    pub updated_at: Timestamp,
}

/// A user's balance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Balance {
    /// Whose it is.
    pub user_id: i64,
    /// How much it is.
    pub balance: Money,
}

/// What a client asks for with a new account.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Whose account.
    #[schema(minimum = 1)]
    pub user_id: i64,
    /// What is on it at first, not negative; zero by default.
    #[serde(default)]
    pub balance: Option<Money>,
}

impl NewAccount {
    /// The balance at first.
    #[must_use]
    pub fn opening(&self) -> Money {
        self.balance.unwrap_or(Money::ZERO)
    }

    /// Checks the rules of a new account.
    ///
    /// # Errors
    ///
    /// Every field that breaks one.
    pub fn validate(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        if self.user_id <= 0 {
            errors.push(FieldError::new("user_id", "must be greater than zero"));
        }
        if self.opening().is_negative() {
            errors.push(FieldError::new("balance", "Initial balance cannot be negative"));
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}

/// What a client asks for with a change of the balance.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BalanceChange {
    /// How much to add; negative to withdraw; nothing changes nothing.
    #[serde(default)]
    balance_change: Option<Money>,
}

/// A change of a balance by its owner.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// None.
    Nothing,
    /// More, by a positive amount.
    TopUp(Money),
    /// Less, by a negative amount.
    Withdrawal(Money),
}

impl From<&BalanceChange> for Change {
    fn from(request: &BalanceChange) -> Self {
        match request.balance_change {
            Some(amount) if amount.is_positive() => Self::TopUp(amount),
            Some(amount) if amount.is_negative() => Self::Withdrawal(amount),
            _ => Self::Nothing,
        }
    }
}

/// Why a balance did not change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChangeRefused {
    /// There is no account.
    #[error("there is no account")]
    NoAccount,
    /// The balance would fall below zero.
    #[error("the balance does not cover the amount")]
    InsufficientFunds,
    /// The balance would exceed what an amount can be.
    #[error("the balance would exceed 999999999999999.9999")]
    TooLarge,
}

/// A movement of a balance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// A running number; a later movement of the same account has a larger
    /// one.
    pub id: i64,
    /// What moved it: `opening`, `top_up`, `withdrawal` or `payment`.
    pub kind: String,
    /// By how much; negative when the balance fell.
    pub amount: Money,
    /// What the balance was then.
    pub balance_after: Money,
    /// The order a payment was for; null for what is no payment.
    #[schema(required)]
    pub order_id: Option<Uuid>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Writes `Sun, 22 Nov 2026 12:36:33 GMT`, as this answer's first version
/// did.
fn http_date<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(time)
        .map_err(serde::ser::Error::custom)?
        .serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_named() {
        let broken = |user_id, balance: Option<&str>| {
            let new = NewAccount { user_id, balance: balance.map(|text| text.parse().unwrap()) };
            let errors = new.validate().err().unwrap_or_default();
            errors.into_iter().map(|err| err.field).collect::<Vec<_>>()
        };
        assert!(broken(1, None).is_empty());
        assert!(broken(1, Some("0")).is_empty());
        assert_eq!(broken(0, Some("1")), ["user_id"]);
        assert_eq!(broken(-7, Some("-0.0001")), ["user_id", "balance"]);
    }

    #[test]
    fn a_change_is_told_by_its_sign() {
        let change =
            |json: &str| Change::from(&serde_json::from_str::<BalanceChange>(json).unwrap());
        assert_eq!(change(r#"{"balance_change":300}"#), Change::TopUp(Money::from(300)));
        assert_eq!(change(r#"{"balance_change":-1}"#), Change::Withdrawal(-Money::from(1)));
        for nothing in ["{}", r#"{"balance_change":0}"#, r#"{"balance_change":null}"#] {
            assert_eq!(change(nothing), Change::Nothing);
        }
    }

    #[test]
    fn a_new_account_has_http_dates() {
        let account = Account {
            id: Uuid::nil(),
            user_id: 1,
            balance: Money::from(1400),
            created_at: "2026-11-22T12:36:33Z".parse().unwrap(),
            updated_at: "2026-11-22T12:36:33.9Z".parse().unwrap(),
        };
        assert_eq!(
            serde_json::to_string(&account).unwrap(),
            r#"{"id":"00000000-0000-0000-0000-000000000000","user_id":1,"balance":1400,"#
                .to_owned()
                + r#""created_at":"Sun, 22 Nov 2026 12:36:33 GMT","updated_at":"Sun, 22 Nov 2026 12:36:33 GMT"}"#
        );
    }
}
