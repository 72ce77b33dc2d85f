//! From the payload column to the Kafka value.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidConfig, OutboxColumns};
use crate::template::Template;

/// From the payload column to the Kafka value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::super::schema::structural)]
pub struct Payload {
    /// The form of the Kafka value. Default: `raw`.
    pub format: PayloadFormat,
    /// The `content-type` header, and the `datacontenttype` of a CloudEvent. Default:
    /// none for `raw`; `application/json` for `json`; for CloudEvents by the column's
    /// type: JSON, `text/plain` or `application/octet-stream`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1))]
    pub content_type: Option<String>,
    /// The `source` of CloudEvents, a URI reference, or a template over columns.
    /// Default: `/` and the outbox's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Template")]
    pub source: Option<Template>,
    /// The `subject` of CloudEvents. Default: the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Template")]
    pub subject: Option<Template>,
    /// The `dataschema` of CloudEvents, a URI. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Template")]
    pub data_schema: Option<Template>,
    /// With `json`: further fields, by name. The value is then an object with the
    /// payload in `payload` and these as texts beside it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub envelope: BTreeMap<String, Template>,
    /// Whether an empty payload is a tombstone, as null always is. Default: `false`.
    pub empty_is_tombstone: bool,
}

/// The form of the Kafka value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::super::schema::values)]
pub enum PayloadFormat {
    /// The bytes as they are stored.
    #[default]
    Raw,
    /// JSON: a row whose payload is none is a dead letter.
    Json,
    /// CloudEvents 1.0 in the binary mode: attributes are headers `ce_…`.
    CloudEventsBinary,
    /// CloudEvents 1.0 in the structured mode: `application/cloudevents+json`.
    CloudEventsStructured,
}

impl PayloadFormat {
    /// Whether records are CloudEvents.
    pub fn is_cloud_event(self) -> bool {
        matches!(self, Self::CloudEventsBinary | Self::CloudEventsStructured)
    }
}

/// When a record says that it is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::super::schema::values)]
pub enum RecordTime {
    /// When it was published.
    #[default]
    Published,
    /// When the row was written, by the `createdAt` column. The broker deletes old
    /// records by this time.
    CreatedAt,
}

impl Payload {
    pub(super) fn validate(
        &self,
        path: &str,
        columns: &OutboxColumns,
    ) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if self.content_type.as_deref() == Some("") {
            return wrong("payload.contentType", "is empty");
        }
        if self.format.is_cloud_event() {
            if columns.id.is_none() {
                return wrong("columns.id", "a CloudEvent needs an id; name the column");
            }
            if columns.event_type.is_none() {
                return wrong("columns.type", "a CloudEvent needs a type; name the column");
            }
            if self.source.as_ref().is_some_and(Template::is_empty) {
                return wrong("payload.source", "is empty; a CloudEvent needs a source");
            }
        } else {
            for (field, given) in [
                ("payload.source", &self.source),
                ("payload.subject", &self.subject),
                ("payload.dataSchema", &self.data_schema),
            ] {
                if given.is_some() {
                    return wrong(
                        field,
                        "is for `format: cloudEventsBinary` or `cloudEventsStructured`",
                    );
                }
            }
        }
        if !self.envelope.is_empty() && self.format != PayloadFormat::Json {
            return wrong("payload.envelope", "is for `format: json`");
        }
        if self.envelope.contains_key("payload") {
            return wrong("payload.envelope.payload", "is where the payload itself stands");
        }
        Ok(())
    }
}
