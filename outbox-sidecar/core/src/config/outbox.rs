//! An outbox: a table whose rows go to Kafka.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidConfig, Period};
use crate::{
    backoff::Backoff,
    parked::PoisonPolicy,
    route::{TopicTemplate, topic_problem},
    sql_name::{ColumnName, TableName},
};

/// A table whose rows go to Kafka.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Outbox {
    /// Names it in metrics, logs and the cursor table; changing it starts a new
    /// cursor, which publishes the retained rows again.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// The table, `table` or `schema.table`.
    pub table: TableName,
    /// How rows are read. Default: `append`.
    #[serde(default)]
    pub engine: Engine,
    /// What the columns are called.
    #[serde(default)]
    pub columns: OutboxColumns,
    /// Into how many ordered parts the table is divided, 1 to 1024; fixed once
    /// the table has rows. Default: 8.
    #[serde(default = "default_buckets")]
    #[schemars(with = "i32", range(min = 1, max = 1024))]
    pub buckets: u16,
    /// Where rows go: a topic, or a template over columns such as `{topic}` or
    /// `outbox.{aggregate_type}`.
    pub topic: TopicTemplate,
    /// What a crash may do to what is already published. Default: `idempotent`.
    #[serde(default)]
    pub delivery: Delivery,
    /// With `delivery: transactional`, how the producers' `transactional.id`s begin;
    /// they go on with the outbox's name, an id from its database, and the bucket.
    /// 1 to 100 letters, digits, `.`, `_` and `-`. Default: `outbox-sidecar`.
    #[serde(default = "default_transactional_id_prefix")]
    #[schemars(regex(pattern = "^[a-zA-Z0-9._-]{1,100}$"))]
    pub transactional_id_prefix: String,
    /// How much is read at a time.
    #[serde(default)]
    pub chunk: Chunk,
    /// How often an idle outbox is looked at; a wake-up comes before it.
    #[serde(default)]
    pub poll: Poll,
    /// How long the buckets of a dead relay stay unserved. Default: `5s`.
    #[serde(default = "default_lease")]
    pub lease: Period,
    /// What happens to rows that the broker refuses.
    #[serde(default)]
    pub poison: Poison,
    /// How long published rows are kept. Default: `7d`.
    #[serde(default = "default_retention")]
    pub retention: Period,
}

/// How rows are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::schema::values)]
pub enum Engine {
    /// By the difference of two snapshots: no row is ever updated. Needs an
    /// `xid8` column.
    #[default]
    Append,
}

/// What a crash may do to what is already published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::schema::values)]
pub enum Delivery {
    /// At least once: rows of the last chunk may be published again. Consumers
    /// deduplicate on the `id` header.
    #[default]
    Idempotent,
    /// The same, and each chunk is a transaction of its bucket: a consumer that
    /// reads committed messages sees a chunk wholly or not at all, and nothing from
    /// a relay that another has replaced. Takes a producer per bucket.
    Transactional,
}

/// What the columns of the outbox table are called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct OutboxColumns {
    /// `bigint` identity: the order within a key. Default: `position`.
    pub position: ColumnName,
    /// `xid8`, default `pg_current_xact_id()`. Default: `xid`.
    pub xid: ColumnName,
    /// The bucket number, generated from the key; with `buckets: 1` it is not
    /// read and need not exist. Default: `bucket`.
    pub bucket: ColumnName,
    /// `uuid`, the message's identity. Default: `id`.
    pub id: ColumnName,
    /// The Kafka key, text. Default: `aggregate_id`.
    pub key: ColumnName,
    /// The event type, text. Default: `type`.
    #[serde(rename = "type")]
    pub event_type: ColumnName,
    /// The Kafka value: `jsonb`, `json`, `text` or `bytea`; null is a tombstone.
    /// Default: `payload`.
    pub payload: ColumnName,
    /// `jsonb` object of further headers. Default: `headers`.
    pub headers: ColumnName,
    /// `timestamptz`, for lag metrics and retention. Default: `created_at`.
    pub created_at: ColumnName,
}

impl Default for OutboxColumns {
    fn default() -> Self {
        let column = ColumnName::known;
        Self {
            position: column("position"),
            xid: column("xid"),
            bucket: column("bucket"),
            id: column("id"),
            key: column("aggregate_id"),
            event_type: column("type"),
            payload: column("payload"),
            headers: column("headers"),
            created_at: column("created_at"),
        }
    }
}

/// How much is read and awaiting acknowledgement at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Chunk {
    /// Rows per statement, 1 to 100000. Default: 2000.
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub rows: u32,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { rows: 2_000 }
    }
}

/// How often an idle outbox is looked at. The wait doubles from `minimum` to
/// `maximum` while nothing is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Poll {
    /// Default: `20ms`.
    pub minimum: Period,
    /// Default: `1s`.
    pub maximum: Period,
}

impl Default for Poll {
    fn default() -> Self {
        Self { minimum: Period::from_millis(20), maximum: Period::from_secs(1) }
    }
}

/// What happens to a row that cannot be published: its key waits, and it is
/// tried again; when its attempts are used up it is a dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Poison {
    /// Attempts until the row is dead, 1 to 1000000; with 1 no key ever waits.
    /// An outage does not count. Default: 10.
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub maximum_attempts: u32,
    /// Waits between attempts double from here. Default: `1s`.
    pub initial_backoff: Period,
    /// No wait is longer. Default: `1m`.
    pub maximum_backoff: Period,
    /// A topic that dead letters go to as well, with headers that say why; absent:
    /// they are only kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub dead_letter_topic: Option<String>,
}

impl Default for Poison {
    fn default() -> Self {
        Self {
            maximum_attempts: 10,
            initial_backoff: Period::from_secs(1),
            maximum_backoff: Period::from_secs(60),
            dead_letter_topic: None,
        }
    }
}

impl Poison {
    /// The policy for rows that are refused.
    pub fn policy(&self) -> PoisonPolicy {
        PoisonPolicy {
            maximum_attempts: self.maximum_attempts,
            backoff: Backoff {
                initial: self.initial_backoff.get(),
                maximum: self.maximum_backoff.get(),
            },
        }
    }
}

impl Outbox {
    pub(super) fn validate(&self, path: &str) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if !super::parse::is_name(&self.name) {
            return wrong("name", "use 1 to 63 lower-case letters, digits and `-`");
        }
        if !(1..=1024).contains(&self.buckets) {
            return wrong("buckets", "must be between 1 and 1024");
        }
        if self.delivery == Delivery::Transactional && self.buckets > MAXIMUM_PRODUCERS {
            let problem = format!(
                "must be at most {MAXIMUM_PRODUCERS} with `delivery: transactional`, which takes a producer for each"
            );
            return wrong("buckets", &problem);
        }
        let prefix = &self.transactional_id_prefix;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !(1..=100).contains(&prefix.len()) || !prefix.chars().all(allowed) {
            return wrong(
                "transactionalIdPrefix",
                "use 1 to 100 letters, digits, `.`, `_` and `-`",
            );
        }
        if !(1..=100_000).contains(&self.chunk.rows) {
            return wrong("chunk.rows", "must be between 1 and 100000");
        }
        if self.poll.minimum < Period::from_millis(1) || self.poll.minimum > self.poll.maximum {
            return wrong("poll", "minimum must be at least 1ms and at most maximum");
        }
        if self.lease < Period::from_secs(1) {
            return wrong("lease", "must be at least 1s");
        }
        if !(1..=1_000_000).contains(&self.poison.maximum_attempts) {
            return wrong("poison.maximumAttempts", "must be between 1 and 1000000");
        }
        if self.poison.initial_backoff < Period::from_millis(1)
            || self.poison.initial_backoff > self.poison.maximum_backoff
        {
            return wrong(
                "poison.initialBackoff",
                "must be at least 1ms and at most maximumBackoff",
            );
        }
        if let Some(topic) = &self.poison.dead_letter_topic {
            if let Some(problem) = topic_problem(topic) {
                let problem = format!("`{topic}` is not a topic: {problem}");
                return wrong("poison.deadLetterTopic", &problem);
            }
            if self.topic.constant() == Some(topic) {
                return wrong("poison.deadLetterTopic", "must be another topic than `topic`");
            }
        }
        Ok(())
    }
}

fn default_buckets() -> u16 {
    8
}

/// Each has threads and a buffer of its own.
const MAXIMUM_PRODUCERS: u16 = 64;

fn default_transactional_id_prefix() -> String {
    "outbox-sidecar".to_owned()
}

fn default_lease() -> Period {
    Period::from_secs(5)
}

fn default_retention() -> Period {
    Period::from_secs(7 * 24 * 60 * 60)
}
