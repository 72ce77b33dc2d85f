//! An inbox: a table that Kafka's messages go into, and on to the application; or
//! without a table, a live feed of them.

mod fields;
mod validate;

use crate::{backoff::Backoff, delivery::RetryPolicy, sql_name::TableName};

use super::Period;

/// Kafka's messages on their way to the application. As text both kinds have the same
/// fields; `table: none` makes it a broadcast, for which some of them make no sense.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbox {
    /// By way of a table: shared among replicas, each message applied once.
    Stored(StoredInbox),
    /// Without one: every sidecar gets every message, from when it started.
    Broadcast(Broadcast),
}

/// A table that Kafka's messages go into, and on to the application.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredInbox {
    /// Names it in metrics and logs.
    pub name: String,
    /// The table.
    pub table: TableName,
    /// The topics consumed, at least one.
    pub topics: Vec<String>,
    /// The Kafka consumer group; replicas of one service share it.
    pub consumer_group: String,
    /// Where messages go.
    pub deliver: Deliver,
    /// How long applied messages are kept, which is how long a repeated message
    /// is recognised.
    pub retention: Period,
}

/// A live feed: what comes while the sidecar runs goes to the application, and
/// nothing is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Broadcast {
    /// Names it in metrics and logs.
    pub name: String,
    /// The topics read, at least one.
    pub topics: Vec<String>,
    /// Where messages go.
    pub deliver: LiveDelivery,
}

/// The application's end of an inbox with a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Deliver {
    /// Where and how requests go.
    pub requests: Requests,
    /// Failures the application reports for a message before it is dead;
    /// absent: never. An outage does not count.
    pub maximum_attempts: Option<u32>,
    /// How often a message may bring the application down before it is dead; 0: always.
    pub maximum_crashes: u32,
    /// A topic that dead letters go to as well; absent: they are only kept.
    pub dead_letter_topic: Option<String>,
}

/// The application's end of a live feed.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveDelivery {
    /// Where and how requests go.
    pub requests: Requests,
    /// A message that the application has not taken for so long is dropped.
    pub give_up_after: Period,
}

/// How the application is asked to take messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Requests {
    /// The application's endpoint, `http://host:port/path`.
    pub url: String,
    /// Messages per request.
    pub batch: u16,
    /// Requests under way at a time.
    pub concurrency: u16,
    /// How long one request may take.
    pub timeout: Period,
    /// Waits between attempts double from here.
    pub initial_backoff: Period,
    /// No wait is longer.
    pub maximum_backoff: Period,
}

impl Requests {
    /// The waits between attempts.
    pub fn backoff(&self) -> Backoff {
        Backoff { initial: self.initial_backoff.get(), maximum: self.maximum_backoff.get() }
    }
}

impl Deliver {
    /// The policy for messages that fail.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            backoff: self.requests.backoff(),
            maximum_attempts: self.maximum_attempts,
            maximum_crashes: Some(self.maximum_crashes).filter(|maximum| *maximum > 0),
        }
    }
}

impl Inbox {
    /// Names it in metrics and logs.
    pub fn name(&self) -> &str {
        match self {
            Self::Stored(inbox) => &inbox.name,
            Self::Broadcast(inbox) => &inbox.name,
        }
    }

    /// The topics it reads.
    pub fn topics(&self) -> &[String] {
        match self {
            Self::Stored(inbox) => &inbox.topics,
            Self::Broadcast(inbox) => &inbox.topics,
        }
    }

    /// The same, to be changed.
    pub fn topics_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Stored(inbox) => &mut inbox.topics,
            Self::Broadcast(inbox) => &mut inbox.topics,
        }
    }

    /// Where and how its requests go.
    pub fn requests(&self) -> &Requests {
        match self {
            Self::Stored(inbox) => &inbox.deliver.requests,
            Self::Broadcast(inbox) => &inbox.deliver.requests,
        }
    }

    /// The same, to be changed.
    pub fn requests_mut(&mut self) -> &mut Requests {
        match self {
            Self::Stored(inbox) => &mut inbox.deliver.requests,
            Self::Broadcast(inbox) => &mut inbox.deliver.requests,
        }
    }

    /// The inbox, if it has a table.
    pub fn stored(&self) -> Option<&StoredInbox> {
        match self {
            Self::Stored(inbox) => Some(inbox),
            Self::Broadcast(_) => None,
        }
    }
}
