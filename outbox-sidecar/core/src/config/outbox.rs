//! An outbox: a table whose rows go to Kafka.

mod claim;
mod columns;
mod payload;
mod poison;
mod preset;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use claim::{Claim, ClaimOptions, OnPublished, StatusColumn};
pub use columns::{ColumnOptions, OutboxColumns};
pub use payload::{Payload, PayloadFormat, RecordTime};
pub use poison::Poison;
pub use preset::Preset;

use preset::Defaults;

use super::{InvalidConfig, Period};
use crate::{
    chunk_size::ChunkSize,
    route::TopicTemplate,
    sql_name::{ColumnName, TableName},
    template::Template,
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
    /// A table made for another tool, whose names and ways become the defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Preset")]
    pub preset: Option<Preset>,
    /// How rows are read. Default: `append`; with a preset `claim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Engine")]
    pub engine: Option<Engine>,
    /// What the columns are called.
    #[serde(default)]
    pub columns: ColumnOptions,
    /// With `engine: claim`, what becomes of published rows.
    #[serde(default, skip_serializing_if = "unset")]
    pub claim: ClaimOptions,
    /// Into how many ordered parts the table is divided, 1 to 1024; fixed once
    /// the table has rows. Default: 8.
    #[serde(default = "default_buckets")]
    #[schemars(with = "i32", range(min = 1, max = 1024))]
    pub buckets: u16,
    /// Where rows go: a topic, or a template over columns such as `{topic}` or
    /// `outbox.{aggregate_type}`. Required, unless a preset has one.
    #[serde(default, skip_serializing_if = "TopicTemplate::is_none")]
    pub topic: TopicTemplate,
    /// Headers of every record, by name: texts, or templates over columns. One that
    /// is a column alone is left out where the column is null.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// From the payload column to the Kafka value.
    #[serde(default)]
    pub payload: Payload,
    /// When a record says that it is from. Default: `published`.
    #[serde(default)]
    pub record_time: RecordTime,
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
    /// The rows that are not published yet, in the order of `columns.position`; each
    /// is deleted or marked when it is. For tables without an `xid8` column.
    Claim,
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

/// How much is read at a time. A second chunk goes while the first awaits its acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Chunk {
    /// Rows per statement, 1 to 100000. Default: 10000.
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub rows: u32,
    /// Bytes of rows, 1024 to 1073741824; the row that fills a chunk is its last, and
    /// a larger one goes alone. Default: 4194304.
    #[schemars(with = "i32", range(min = 1_024, max = 1_073_741_824))]
    pub bytes: u32,
}

impl Default for Chunk {
    fn default() -> Self {
        Self { rows: 10_000, bytes: 4 * 1024 * 1024 }
    }
}

impl Chunk {
    /// How many rows go at a time, to begin with.
    pub fn size(&self) -> ChunkSize {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        ChunkSize::new(size(self.rows), size(self.bytes))
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

fn unset(claim: &ClaimOptions) -> bool {
    !claim.is_given()
}

impl Outbox {
    /// The outbox of a table of which no more is said than a preset says. Without
    /// one, rows go to `outbox.{aggregate_type}`.
    pub fn of_table(table: TableName, preset: Option<Preset>) -> Self {
        let topic = match preset {
            None => TopicTemplate::prefixed("outbox.", ColumnName::known("aggregate_type")),
            Some(_) => TopicTemplate::default(),
        };
        Self {
            name: "outbox".into(),
            table,
            preset,
            engine: None,
            columns: ColumnOptions::default(),
            claim: ClaimOptions::default(),
            buckets: default_buckets(),
            topic,
            headers: BTreeMap::new(),
            payload: Payload::default(),
            record_time: RecordTime::default(),
            delivery: Delivery::default(),
            transactional_id_prefix: default_transactional_id_prefix(),
            chunk: Chunk::default(),
            poll: Poll::default(),
            lease: default_lease(),
            poison: Poison::default(),
            retention: default_retention(),
        }
    }

    /// How rows are read.
    pub fn engine(&self) -> Engine {
        self.engine.unwrap_or(Defaults::of(self.preset).engine)
    }

    /// What the columns are called.
    pub fn columns(&self) -> OutboxColumns {
        preset::columns(self.preset, self.engine(), &self.columns)
    }

    /// What the `claim` engine does with published rows.
    pub fn claim(&self) -> Claim {
        self.claim.or(Defaults::of(self.preset).claim)
    }

    /// Where rows go. A configuration that was checked has a topic.
    pub fn topic(&self) -> TopicTemplate {
        if self.topic.is_none() { Defaults::of(self.preset).topic } else { self.topic.clone() }
    }

    pub(super) fn validate(&self, path: &str) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if !super::parse::is_name(&self.name) {
            return wrong("name", "use 1 to 63 lower-case letters, digits and `-`");
        }
        if self.topic().is_none() {
            return wrong("topic", "`topic` is missing");
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
        if !(1_024..=1_073_741_824).contains(&self.chunk.bytes) {
            return wrong("chunk.bytes", "must be between 1024 and 1073741824");
        }
        if self.poll.minimum < Period::from_millis(1) || self.poll.minimum > self.poll.maximum {
            return wrong("poll", "minimum must be at least 1ms and at most maximum");
        }
        if self.lease < Period::from_secs(1) {
            return wrong("lease", "must be at least 1s");
        }
        if let Some(name) = self.headers.keys().find(|n| n.is_empty() || n.contains('\0')) {
            return wrong("headers", &format!("{name:?} cannot be the name of a header"));
        }
        let columns = self.columns();
        if self.record_time == RecordTime::CreatedAt && columns.created_at.is_none() {
            return wrong("recordTime", "`createdAt` needs `columns.createdAt`");
        }
        self.payload.validate(path, &columns)?;
        self.poison.validate(path, &self.topic())?;
        self.validate_engine(path, &columns)
    }

    fn validate_engine(&self, path: &str, columns: &OutboxColumns) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        match self.engine() {
            Engine::Append if self.claim.is_given() => {
                wrong("claim", "is for `engine: claim`; `append` neither deletes nor marks")
            }
            Engine::Append if self.buckets > 1 && columns.bucket.is_none() => wrong(
                "columns.bucket",
                "`append` needs the column, or `buckets: 1`; only `claim` computes the bucket itself",
            ),
            Engine::Append => Ok(()),
            Engine::Claim if columns.id.is_none() => {
                wrong("columns.id", "`claim` needs it to tell which rows are published")
            }
            Engine::Claim => self.claim().validate(path),
        }
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
