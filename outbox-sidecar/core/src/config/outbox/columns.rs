//! What the columns of an outbox table are called.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::sql_name::ColumnName;

/// Column names as given. What is not given has the default of the
/// [`Preset`](super::Preset), or the one said here; `null` says that the table
/// has no such column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::super::schema::structural)]
pub struct ColumnOptions {
    /// The order within a key: for `append` a `bigint` identity; for `claim` that, a
    /// `timestamptz`, a `timestamp` or a UUIDv7. Default: `position`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ColumnName")]
    pub position: Option<ColumnName>,
    /// `xid8`, default `pg_current_xact_id()`; for `append` only. Default: `xid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ColumnName")]
    pub xid: Option<ColumnName>,
    /// The bucket number, generated from the key; with `buckets: 1` it is not read
    /// and need not exist. Default: `bucket` for `append`; null for `claim`, which
    /// then takes it from the key.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub bucket: Option<Option<ColumnName>>,
    /// The message's identity, best a `uuid`. Default: `id`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub id: Option<Option<ColumnName>>,
    /// The Kafka key, text. Default: `aggregate_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ColumnName")]
    pub key: Option<ColumnName>,
    /// The event type, text. Default: `type`.
    #[serde(rename = "type", deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub event_type: Option<Option<ColumnName>>,
    /// The Kafka value: `jsonb`, `json`, `text` or `bytea`; null is a tombstone.
    /// Default: `payload`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ColumnName")]
    pub payload: Option<ColumnName>,
    /// `jsonb` object of further headers. Default: `headers`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub headers: Option<Option<ColumnName>>,
    /// `timestamptz`, for lag metrics and retention. Default: `created_at`.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub created_at: Option<Option<ColumnName>>,
}

/// The columns of an outbox table, with all defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxColumns {
    /// The order within a key.
    pub position: ColumnName,
    /// The writing transaction; for the `append` engine only.
    pub xid: ColumnName,
    /// The bucket number; without it, it is computed from the key.
    pub bucket: Option<ColumnName>,
    /// The message's identity.
    pub id: Option<ColumnName>,
    /// The Kafka key.
    pub key: ColumnName,
    /// The event type.
    pub event_type: Option<ColumnName>,
    /// The Kafka value.
    pub payload: ColumnName,
    /// A JSON object of further headers.
    pub headers: Option<ColumnName>,
    /// When the row was written.
    pub created_at: Option<ColumnName>,
}

impl ColumnOptions {
    /// Fills in what is not given.
    pub(super) fn or(&self, defaults: OutboxColumns) -> OutboxColumns {
        let plain = |given: &Option<ColumnName>, default| given.clone().unwrap_or(default);
        let optional =
            |given: &Option<Option<ColumnName>>, default| given.clone().unwrap_or(default);
        OutboxColumns {
            position: plain(&self.position, defaults.position),
            xid: plain(&self.xid, defaults.xid),
            bucket: optional(&self.bucket, defaults.bucket),
            id: optional(&self.id, defaults.id),
            key: plain(&self.key, defaults.key),
            event_type: optional(&self.event_type, defaults.event_type),
            payload: plain(&self.payload, defaults.payload),
            headers: optional(&self.headers, defaults.headers),
            created_at: optional(&self.created_at, defaults.created_at),
        }
    }
}

/// Tells a null that was given from a field that was not.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
