//! Dead letters as the command line and the admin port tell of them: rows of an
//! outbox that cannot be published, and messages of an inbox that cannot be
//! applied.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Dead letters on one page, at most.
pub const MAXIMUM_PAGE: u16 = 1_000;

/// Dead letters on one page, if nothing is said.
pub const DEFAULT_PAGE: u16 = 100;

/// Which way it was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// From a table to Kafka.
    Outbox,
    /// From Kafka to the application.
    Inbox,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Of an outbox or of an inbox.
    pub side: Side,
    /// The outbox's or inbox's name.
    pub name: String,
    /// What it is asked for by: a row's position, or a message's id.
    pub id: String,
    /// The message's id, if it has one.
    pub message_id: Option<String>,
    /// The ordering key.
    pub key: Option<String>,
    /// Where it came from; of an inbox only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it died.
    pub reason: String,
    /// When it died.
    pub dead_at: Timestamp,
}

/// A message's place in Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// One dead letter with all there is to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// What the list tells too.
    #[serde(flatten)]
    pub letter: DeadLetter,
    /// The row as it is in the table, by column; none if it was deleted. Bytes
    /// are shown as JSON or text where they are that, otherwise in base64.
    pub row: Option<Value>,
}

/// Which dead letters; the empty filter is for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// Only of outboxes, or only of inboxes.
    pub side: Option<Side>,
    /// Only of this outbox, and of no inbox.
    pub outbox: Option<String>,
    /// Only of this inbox, and of no outbox.
    pub inbox: Option<String>,
    /// Only of this key.
    pub key: Option<String>,
    /// Only this one: a row's position, or a message's id.
    pub id: Option<String>,
}

impl Filter {
    /// Whether it is for all there are.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether dead letters of this outbox or inbox may pass.
    pub fn includes(&self, side: Side, name: &str) -> bool {
        if self.side.is_some_and(|only| only != side) {
            return false;
        }
        match (side, &self.outbox, &self.inbox) {
            (_, None, None) => true,
            (Side::Outbox, Some(only), _) | (Side::Inbox, _, Some(only)) => only == name,
            (Side::Outbox, None, Some(_)) | (Side::Inbox, Some(_), None) => false,
        }
    }
}

/// What is asked of `GET /dead-letters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListRequest {
    /// See [`Filter`].
    pub side: Option<Side>,
    /// See [`Filter`].
    pub outbox: Option<String>,
    /// See [`Filter`].
    pub inbox: Option<String>,
    /// See [`Filter`].
    pub key: Option<String>,
    /// See [`Filter`].
    pub id: Option<String>,
    /// The `next` of the page before.
    pub after: Option<String>,
    /// How many, 1 to [`MAXIMUM_PAGE`]; absent: [`DEFAULT_PAGE`].
    pub limit: Option<u16>,
}

/// What is asked of `POST /dead-letters/retry` and `/skip`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SettleRequest {
    /// Who asks, for the audit.
    pub actor: String,
    /// Without it an empty filter is refused.
    pub all: bool,
    /// See [`Filter`].
    pub outbox: Option<String>,
    /// See [`Filter`].
    pub inbox: Option<String>,
    /// See [`Filter`].
    pub key: Option<String>,
    /// See [`Filter`].
    pub id: Option<String>,
}

/// Why a request is not carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidRequest {
    /// Nobody to note in the audit.
    #[error("`actor` is missing: who settles dead letters is noted")]
    NoActor,
    /// Everything, but not said so.
    #[error("name dead letters by `outbox`, `inbox`, `key` or `id`, or say `all` for every one")]
    NothingNamed,
    /// Everything and something.
    #[error("`all` is for every dead letter; leave it or the filter out")]
    AllAndSome,
}

impl ListRequest {
    /// Which dead letters.
    pub fn filter(&self) -> Filter {
        let Self { side, outbox, inbox, key, id, .. } = self.clone();
        Filter { side, outbox, inbox, key, id }
    }
}

impl SettleRequest {
    /// Which dead letters.
    ///
    /// # Errors
    /// It may have been meant otherwise.
    pub fn filter(&self) -> Result<Filter, InvalidRequest> {
        let Self { actor, all, outbox, inbox, key, id } = self.clone();
        let filter = Filter { side: None, outbox, inbox, key, id };
        if actor.trim().is_empty() {
            return Err(InvalidRequest::NoActor);
        }
        match (all, filter.is_all()) {
            (false, true) => Err(InvalidRequest::NothingNamed),
            (true, false) => Err(InvalidRequest::AllAndSome),
            _ => Ok(filter),
        }
    }
}

/// A part of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Outboxes first, in the configuration's order; of each by place.
    pub items: Vec<DeadLetter>,
    /// What to ask for the next page after; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What became of a retry or a skip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// How many were settled.
    pub settled: u64,
    /// Those whose row was deleted from the table, so that there is nothing to
    /// retry: `outbox/orders/17`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub gone: Vec<String>,
}

/// How one dead letter is named: `outbox/orders/17`, `inbox/updates/<message id>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Of an outbox or of an inbox.
    pub side: Side,
    /// The outbox's or inbox's name.
    pub name: String,
    /// A row's position, or a message's id.
    pub id: String,
}

/// A text that names no dead letter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` names no dead letter; write outbox/NAME/POSITION or inbox/NAME/MESSAGE-ID")]
pub struct InvalidAddress(String);

/// A place in the list, between two dead letters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Behind this position of an outbox.
    Outbox {
        /// Its name.
        name: String,
        /// The position.
        position: i64,
    },
    /// Behind this message of an inbox.
    Inbox {
        /// Its name.
        name: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
}

/// A text that is no place in the list.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no place in the list; give the `next` of the page before")]
pub struct InvalidPlace(String);

impl Address {
    /// The filter that only this one passes.
    pub fn filter(&self) -> Filter {
        let mut filter = Filter { id: Some(self.id.clone()), ..Filter::default() };
        match self.side {
            Side::Outbox => filter.outbox = Some(self.name.clone()),
            Side::Inbox => filter.inbox = Some(self.name.clone()),
        }
        filter
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.side, self.name, self.id)
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        let (side, name, id) = match parts.as_slice() {
            ["outbox", name, id] => (Side::Outbox, *name, *id),
            ["inbox", name, id] => (Side::Inbox, *name, *id),
            _ => return Err(InvalidAddress(text.to_owned())),
        };
        Ok(Self { side, name: name.to_owned(), id: id.to_owned() })
    }
}

impl DeadLetter {
    /// How it is named.
    pub fn address(&self) -> Address {
        Address { side: self.side, name: self.name.clone(), id: self.id.clone() }
    }

    /// Its place in the list.
    pub fn place(&self) -> Place {
        let name = self.name.clone();
        match &self.origin {
            Some(Origin { topic, partition, offset }) => {
                Place::Inbox { name, topic: topic.clone(), partition: *partition, offset: *offset }
            }
            None => Place::Outbox { name, position: self.id.parse().unwrap_or(i64::MAX) },
        }
    }
}

impl Place {
    /// The outbox or inbox it is in.
    pub fn of(&self) -> (Side, &str) {
        match self {
            Self::Outbox { name, .. } => (Side::Outbox, name),
            Self::Inbox { name, .. } => (Side::Inbox, name),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outbox { name, position } => write!(f, "outbox/{name}/{position}"),
            Self::Inbox { name, topic, partition, offset } => {
                write!(f, "inbox/{name}/{topic}/{partition}/{offset}")
            }
        }
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidPlace(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["outbox", name, position] => Ok(Self::Outbox {
                name: (*name).to_owned(),
                position: position.parse().map_err(|_| invalid())?,
            }),
            ["inbox", name, topic, partition, offset] => Ok(Self::Inbox {
                name: (*name).to_owned(),
                topic: (*topic).to_owned(),
                partition: partition.parse().map_err(|_| invalid())?,
                offset: offset.parse().map_err(|_| invalid())?,
            }),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outbox => "outbox",
            Self::Inbox => "inbox",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_a_round_trip() {
        for text in ["outbox/orders/17", "inbox/updates/payment.status_updates/3/-1"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "outbox/orders", "outbox/orders/x", "inbox/updates/17"] {
            let error = text.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("give the `next` of the page before"), "{error}");
        }
    }

    #[test]
    fn an_address_names_one_dead_letter() {
        let address: Address = "outbox/orders/17".parse().unwrap();
        assert_eq!(address.to_string(), "outbox/orders/17");
        assert_eq!(address.filter().outbox.as_deref(), Some("orders"));
        assert_eq!(address.filter().id.as_deref(), Some("17"));
        let error = "orders/17".parse::<Address>().unwrap_err().to_string();
        assert!(error.contains("write outbox/NAME/POSITION"), "{error}");
    }

    #[test]
    fn nobody_settles_everything_by_leaving_something_out() {
        let request = |text: &str| serde_json::from_str::<SettleRequest>(text).unwrap().filter();
        assert_eq!(request(r#"{ "id": "1" }"#), Err(InvalidRequest::NoActor));
        assert_eq!(request(r#"{ "actor": "ada" }"#), Err(InvalidRequest::NothingNamed));
        assert_eq!(
            request(r#"{ "actor": "ada", "all": true, "key": "a" }"#),
            Err(InvalidRequest::AllAndSome)
        );
        assert!(request(r#"{ "actor": "ada", "all": true }"#).unwrap().is_all());
        assert!(
            serde_json::from_str::<SettleRequest>(r#"{ "actor": "ada", "kye": "a" }"#).is_err()
        );
    }

    #[test]
    fn a_filter_for_an_outbox_is_for_no_inbox() {
        let filter = Filter { outbox: Some("a".into()), ..Filter::default() };
        assert!(filter.includes(Side::Outbox, "a"));
        assert!(!filter.includes(Side::Outbox, "b"));
        assert!(!filter.includes(Side::Inbox, "a"));
        assert!(Filter::default().includes(Side::Inbox, "a"));
        let inboxes = Filter { side: Some(Side::Inbox), ..Filter::default() };
        assert!(inboxes.includes(Side::Inbox, "a") && !inboxes.includes(Side::Outbox, "a"));
        assert!(Filter::default().is_all() && !filter.is_all());
    }
}
