//! From what the services publish to what clients are told.

use jiff::Timestamp;
use kit::Money;
use kit::inbox::{Event, Refusal};
use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;

/// What clients are told of something that has happened.
#[derive(Clone, Debug)]
pub(super) struct LiveEvent {
    pub(super) id: Uuid,
    /// Whose it is.
    pub(super) user_id: i64,
    pub(super) kind: Kind,
    /// When it happened.
    pub(super) at: Timestamp,
    /// The whole message, written once for all who get it.
    pub(super) json: Utf8Bytes,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// An order has a new status.
    Order,
    /// A balance or its ledger has changed.
    Account,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Order, Self::Account];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Account => "account",
        }
    }
}

/// The payload of the orders service's events.
#[derive(Deserialize)]
struct OrderChanged {
    order_id: Uuid,
    user_id: i64,
    status: String,
    reason: Option<String>,
    amount: Money,
    at: Timestamp,
}

/// The payload of the payments service's events; what else it holds is not
/// needed here.
#[derive(Deserialize)]
struct AccountChanged {
    user_id: i64,
    #[serde(alias = "timestamp")]
    at: Timestamp,
}

/// What a client gets; the amount as text, as JavaScript's numbers are not
/// exact.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Told<'a> {
    Order {
        id: Uuid,
        order_id: Uuid,
        user_id: i64,
        status: &'a str,
        reason: Option<&'a str>,
        amount: String,
        at: Timestamp,
    },
    Account {
        id: Uuid,
        user_id: i64,
        at: Timestamp,
    },
}

/// What clients are told of an event; `None` if nothing.
///
/// # Errors
///
/// The payload is not what an event of this type has.
pub(super) fn told(event: &Event) -> Result<Option<LiveEvent>, Refusal> {
    let id = event.id;
    let (kind, user_id, at, json) = match event.r#type.as_str() {
        "order.created" | "order.finished" | "order.cancelled" => {
            let OrderChanged { order_id, user_id, status, reason, amount, at } = event.payload()?;
            let (status, reason, amount) = (&status, reason.as_deref(), amount.to_string());
            let told = Told::Order { id, order_id, user_id, status, reason, amount, at };
            (Kind::Order, user_id, at, serde_json::to_string(&told))
        }
        // A failed payment changes nothing.
        "account.changed" | "payment.succeeded" => {
            let AccountChanged { user_id, at } = event.payload()?;
            let told = Told::Account { id, user_id, at };
            (Kind::Account, user_id, at, serde_json::to_string(&told))
        }
        _ => return Ok(None),
    };
    let json = json.map_err(|err| Refusal::Rejected(err.to_string()))?;
    Ok(Some(LiveEvent { id, user_id, kind, at, json: json.into() }))
}
