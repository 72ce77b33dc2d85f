//! An inbox as text: one set of fields for both kinds.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Broadcast, Deliver, Inbox, LiveDelivery, Period, Requests, StoredInbox};
use crate::{config::schema::structural, sql_name::TableName};

/// What stands for a table where there is to be none.
const NONE: &str = "none";

/// Kafka's messages on their way to the application.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = structural)]
struct Fields {
    /// Names it in metrics and logs.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    name: String,
    /// The table, `table` or `schema.table`; or `none` for a live feed: every sidecar
    /// gets every message that comes while it runs, and keeps none.
    #[schemars(with = "TableName")]
    table: Table,
    /// The topics consumed, at least one.
    #[schemars(
        length(min = 1),
        inner(length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))
    )]
    topics: Vec<String>,
    /// The Kafka consumer group; replicas of one service share it. Required with a
    /// table; without one there is no group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 255))]
    consumer_group: Option<String>,
    /// Where messages go.
    deliver: DeliverFields,
    /// How long applied messages are kept, which is how long a repeated message
    /// is recognised. Only with a table. Default: `7d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    retention: Option<Period>,
}

/// The application's end.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = structural)]
struct DeliverFields {
    /// The application's endpoint, `http://host:port/path`.
    #[schemars(regex(pattern = "^https?://.+"))]
    url: String,
    /// Messages per request, 1 to 1000. Default: 100.
    #[serde(default = "default_batch")]
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    batch: u16,
    /// Requests under way at a time, 1 to 64. Default: 4.
    #[serde(default = "default_concurrency")]
    #[schemars(with = "i32", range(min = 1, max = 64))]
    concurrency: u16,
    /// How long one request may take. Default: `30s`, without a table `5s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    timeout: Option<Period>,
    /// Waits between attempts double from here. Default: `100ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    initial_backoff: Option<Period>,
    /// No wait is longer. Default: `10s`, without a table `1s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    maximum_backoff: Option<Period>,
    /// Failures the application reports for a message before it is dead;
    /// absent: never. An outage does not count. Only with a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    maximum_attempts: Option<u32>,
    /// How often a message may bring the application down, by a lost connection or
    /// a timeout while it has only this message, before it is dead; 0: always, and
    /// no message goes alone. Only with a table. Default: 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    maximum_crashes: Option<u32>,
    /// A topic that dead letters go to as well, with headers that say why; absent:
    /// they are only kept. Only with a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    dead_letter_topic: Option<String>,
    /// A message that the application has not taken for so long is dropped. Only
    /// without a table. Default: `30s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Period")]
    give_up_after: Option<Period>,
}

enum Table {
    None,
    Named(TableName),
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str(NONE),
            Self::Named(table) => table.fmt(f),
        }
    }
}

impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == NONE {
            return Ok(Self::None);
        }
        TableName::from_str(&text).map(Self::Named).map_err(de::Error::custom)
    }
}

impl Fields {
    fn resolve<E: de::Error>(self) -> Result<Inbox, E> {
        let senseless = |field: &str, why: &str| {
            Err(E::custom(format!("inbox `{}`: `{field}` makes no sense {why}", self.name)))
        };
        let Self { name, table, topics, consumer_group, deliver, retention } = &self;
        let (name, topics) = (name.clone(), topics.clone());
        match table {
            Table::Named(table) => {
                if deliver.give_up_after.is_some() {
                    return senseless("deliver.giveUpAfter", "with a table, which loses nothing");
                }
                Ok(Inbox::Stored(StoredInbox {
                    name,
                    table: table.clone(),
                    topics,
                    consumer_group: consumer_group
                        .clone()
                        .ok_or_else(|| E::missing_field("consumerGroup"))?,
                    deliver: deliver.stored(),
                    retention: retention.unwrap_or(Period::from_secs(7 * 24 * 60 * 60)),
                }))
            }
            Table::None => {
                let why = "with `table: none`, ";
                let with_table = [
                    (
                        consumer_group.is_some(),
                        "consumerGroup",
                        "as every sidecar reads everything",
                    ),
                    (retention.is_some(), "retention", "as nothing is kept"),
                    (deliver.maximum_attempts.is_some(), "deliver.maximumAttempts", TIME_DECIDES),
                    (deliver.maximum_crashes.is_some(), "deliver.maximumCrashes", TIME_DECIDES),
                    (
                        deliver.dead_letter_topic.is_some(),
                        "deliver.deadLetterTopic",
                        "as there are no dead letters",
                    ),
                ];
                for (given, field, reason) in with_table {
                    if given {
                        return senseless(field, &format!("{why}{reason}"));
                    }
                }
                Ok(Inbox::Broadcast(Broadcast { name, topics, deliver: deliver.live() }))
            }
        }
    }
}

const TIME_DECIDES: &str = "where `deliver.giveUpAfter` says how long a message is tried";

impl DeliverFields {
    fn stored(&self) -> Deliver {
        Deliver {
            requests: self.requests(Period::from_secs(30), Period::from_secs(10)),
            maximum_attempts: self.maximum_attempts,
            maximum_crashes: self.maximum_crashes.unwrap_or(5),
            dead_letter_topic: self.dead_letter_topic.clone(),
        }
    }

    fn live(&self) -> LiveDelivery {
        LiveDelivery {
            requests: self.requests(Period::from_secs(5), Period::from_secs(1)),
            give_up_after: self.give_up_after.unwrap_or(Period::from_secs(30)),
        }
    }

    fn requests(&self, timeout: Period, maximum_backoff: Period) -> Requests {
        Requests {
            url: self.url.clone(),
            batch: self.batch,
            concurrency: self.concurrency,
            timeout: self.timeout.unwrap_or(timeout),
            initial_backoff: self.initial_backoff.unwrap_or(Period::from_millis(100)),
            maximum_backoff: self.maximum_backoff.unwrap_or(maximum_backoff),
        }
    }

    fn of(requests: Requests) -> Self {
        Self {
            url: requests.url,
            batch: requests.batch,
            concurrency: requests.concurrency,
            timeout: Some(requests.timeout),
            initial_backoff: Some(requests.initial_backoff),
            maximum_backoff: Some(requests.maximum_backoff),
            maximum_attempts: None,
            maximum_crashes: None,
            dead_letter_topic: None,
            give_up_after: None,
        }
    }
}

impl From<Inbox> for Fields {
    fn from(inbox: Inbox) -> Self {
        match inbox {
            Inbox::Stored(inbox) => Self {
                name: inbox.name,
                table: Table::Named(inbox.table),
                topics: inbox.topics,
                consumer_group: Some(inbox.consumer_group),
                deliver: DeliverFields {
                    maximum_attempts: inbox.deliver.maximum_attempts,
                    maximum_crashes: Some(inbox.deliver.maximum_crashes),
                    dead_letter_topic: inbox.deliver.dead_letter_topic,
                    ..DeliverFields::of(inbox.deliver.requests)
                },
                retention: Some(inbox.retention),
            },
            Inbox::Broadcast(inbox) => Self {
                name: inbox.name,
                table: Table::None,
                topics: inbox.topics,
                consumer_group: None,
                deliver: DeliverFields {
                    give_up_after: Some(inbox.deliver.give_up_after),
                    ..DeliverFields::of(inbox.deliver.requests)
                },
                retention: None,
            },
        }
    }
}

impl Serialize for Inbox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Fields::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Inbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer)?.resolve()
    }
}

impl JsonSchema for Inbox {
    fn schema_name() -> Cow<'static, str> {
        "Inbox".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

fn default_batch() -> u16 {
    100
}

fn default_concurrency() -> u16 {
    4
}
