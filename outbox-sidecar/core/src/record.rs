//! From an outbox row to a Kafka record: topic, key, value, headers.
//!
//! CloudEvents follow the Kafka protocol binding of CloudEvents 1.0
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>).
//! Whatever the format, `id` and `type` are headers too: consumers deduplicate
//! on `id`, which may be any text.

mod cloud_event;

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, value::RawValue};

use crate::{
    config::{Outbox, Payload, PayloadFormat, RecordTime},
    route::{InvalidTopic, TopicTemplate},
    sql_name::ColumnName,
    template::Template,
};

/// The media type of a JSON value.
const JSON: &str = "application/json";

/// A row as it was read.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// The message's identity.
    pub id: Option<&'a str>,
    /// The Kafka key.
    pub key: Option<&'a str>,
    /// The event type.
    pub event_type: Option<&'a str>,
    /// The payload; `None` is a tombstone.
    pub payload: Option<Stored<'a>>,
    /// The further headers, as JSON.
    pub headers: Option<&'a [u8]>,
    /// When it was written, as RFC 3339 has it; asked for by
    /// [`Mapping::needs_time`].
    pub time: Option<&'a str>,
    /// The same in milliseconds since 1970; asked for by
    /// [`Mapping::needs_timestamp`].
    pub timestamp: Option<i64>,
    /// The values of [`Mapping::columns`], in order.
    pub values: Vec<Option<&'a str>>,
}

/// A stored payload, by the kind of its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// `json` or `jsonb`, as text.
    Json(&'a [u8]),
    /// `text` or `varchar`, in UTF-8.
    Text(&'a [u8]),
    /// `bytea`.
    Bytes(&'a [u8]),
}

/// What goes to Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The topic, a valid one.
    pub topic: Cow<'a, str>,
    /// The key.
    pub key: Option<&'a str>,
    /// The value; `None` is a tombstone.
    pub value: Option<Cow<'a, [u8]>>,
    /// In order; no name comes twice, and none holds a NUL.
    pub headers: Vec<Header<'a>>,
    /// Milliseconds since 1970; `None` is the time of publishing.
    pub timestamp: Option<i64>,
}

/// A header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its value.
    pub value: Option<Cow<'a, str>>,
}

/// Why a row can never be published as it is. The row is poison.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unfit {
    /// Its topic is not one.
    #[error(transparent)]
    Topic(#[from] InvalidTopic),
    /// Its headers are not an object.
    #[error("the headers are not a JSON object: {0}")]
    Headers(String),
    /// A name in its headers cannot be a Kafka header's.
    #[error("the header {0:?} has a NUL character in its name")]
    HeaderName(String),
    /// The format asks for JSON, which the payload is not.
    #[error("the payload is not JSON: {0}")]
    NotJson(String),
    /// The format asks for text, which the payload is not.
    #[error("the payload is not UTF-8, which `contentType: {0}` asks for")]
    NotText(String),
    /// A CloudEvent has to have what the row lacks.
    #[error("a CloudEvent needs a value for `{attribute}`, and the row has none")]
    Attribute {
        /// The attribute.
        attribute: &'static str,
    },
}

/// How the rows of one outbox become records.
#[derive(Clone, Debug)]
pub struct Mapping {
    topic: TopicTemplate,
    headers: Vec<(String, Template)>,
    payload: Payload,
    source: Template,
    timestamp: bool,
    columns: Vec<ColumnName>,
}

impl Mapping {
    /// As the outbox is configured.
    pub fn new(outbox: &Outbox) -> Self {
        let (topic, payload) = (outbox.topic(), outbox.payload.clone());
        let source = payload
            .source
            .clone()
            .unwrap_or_else(|| Template::constant_text(format!("/{}", outbox.name)));
        let attributes = payload.subject.iter().chain(&payload.data_schema).chain([&source]);
        let templates = outbox.headers.values().chain(payload.envelope.values()).chain(attributes);
        let mut columns: Vec<ColumnName> = Vec::new();
        for column in topic.columns().chain(templates.flat_map(Template::columns)) {
            if !columns.contains(column) {
                columns.push(column.clone());
            }
        }
        Self {
            topic,
            headers: outbox.headers.iter().map(|(n, t)| (n.clone(), t.clone())).collect(),
            payload,
            source,
            timestamp: outbox.record_time == RecordTime::CreatedAt,
            columns,
        }
    }

    /// The further columns that it reads, each once.
    pub fn columns(&self) -> &[ColumnName] {
        &self.columns
    }

    /// The topic, if it is the same for every row.
    pub fn constant_topic(&self) -> Option<&str> {
        self.topic.constant()
    }

    /// Whether it asks for [`Row::time`].
    pub fn needs_time(&self) -> bool {
        self.payload.format.is_cloud_event()
    }

    /// Whether it asks for [`Row::timestamp`].
    pub fn needs_timestamp(&self) -> bool {
        self.timestamp
    }

    /// The record of a row.
    ///
    /// # Errors
    /// The row can never be published as it is.
    pub fn record<'a>(&'a self, row: &Row<'a>) -> Result<Record<'a>, Unfit> {
        let value = |column: &ColumnName| {
            let index = self.columns.iter().position(|other| other == column)?;
            row.values.get(index).copied().flatten()
        };
        let topic = self.topic.render(value)?;
        let mut headers = Headers::default();
        for (name, template) in &self.headers {
            if let Some(text) = template.render(value) {
                headers.add(name, text);
            }
        }
        if let Some(id) = row.id {
            headers.add("id", id);
        }
        if let Some(event_type) = row.event_type {
            headers.add("type", event_type);
        }
        let more = row.headers.map(parse_headers).transpose()?.unwrap_or_default();
        let payload = row
            .payload
            .filter(|payload| !(self.payload.empty_is_tombstone && payload.bytes().is_empty()));
        let value = match self.payload.format {
            PayloadFormat::Raw | PayloadFormat::Json => {
                self.plain(payload, &value, &mut headers)?
            }
            PayloadFormat::CloudEventsBinary | PayloadFormat::CloudEventsStructured => {
                let event = self.event(row, payload, &more, value)?;
                if self.payload.format == PayloadFormat::CloudEventsBinary {
                    event.binary(&mut headers)
                } else {
                    event.structured(&mut headers)?
                }
            }
        };
        headers.add_stored(more)?;
        Ok(Record {
            topic,
            key: row.key,
            value,
            headers: headers.0,
            timestamp: row.timestamp.filter(|_| self.timestamp),
        })
    }

    fn plain<'a>(
        &'a self,
        payload: Option<Stored<'a>>,
        value: &impl Fn(&ColumnName) -> Option<&'a str>,
        headers: &mut Headers<'a>,
    ) -> Result<Option<Cow<'a, [u8]>>, Unfit> {
        let json = self.payload.format == PayloadFormat::Json;
        if let Some(content_type) =
            self.payload.content_type.as_deref().or_else(|| json.then_some(JSON))
        {
            headers.add("content-type", content_type);
        }
        let Some(payload) = payload else { return Ok(None) };
        if !json {
            return Ok(Some(Cow::Borrowed(payload.bytes())));
        }
        let raw = payload.json()?;
        if self.payload.envelope.is_empty() {
            return Ok(Some(Cow::Borrowed(payload.bytes())));
        }
        let mut envelope: Vec<u8> = b"{\"payload\":".to_vec();
        envelope.extend_from_slice(raw.get().as_bytes());
        for (name, template) in &self.payload.envelope {
            let text = template.render(value).map_or(Value::Null, |t| Value::from(t.into_owned()));
            envelope
                .extend_from_slice(format!(",{}:{text}", Value::from(name.as_str())).as_bytes());
        }
        envelope.push(b'}');
        Ok(Some(Cow::Owned(envelope)))
    }
}

impl<'a> Stored<'a> {
    /// The bytes, whatever their kind.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            Self::Json(bytes) | Self::Text(bytes) | Self::Bytes(bytes) => bytes,
        }
    }

    fn json(self) -> Result<&'a RawValue, Unfit> {
        serde_json::from_slice(self.bytes()).map_err(|error| Unfit::NotJson(error.to_string()))
    }
}

/// The headers of a record: who comes first has the name.
#[derive(Default)]
struct Headers<'a>(Vec<Header<'a>>);

impl<'a> Headers<'a> {
    fn add(&mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) {
        self.insert(name.into(), Some(value.into()));
    }

    fn insert(&mut self, name: Cow<'a, str>, value: Option<Cow<'a, str>>) {
        if self.0.iter().all(|header| header.name != name) {
            self.0.push(Header { name, value });
        }
    }

    /// The row's own: a text as it is, another value as JSON.
    fn add_stored(&mut self, more: BTreeMap<String, Value>) -> Result<(), Unfit> {
        for (name, value) in more {
            if name.contains('\0') {
                return Err(Unfit::HeaderName(name));
            }
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(Cow::Owned(text)),
                other => Some(Cow::Owned(other.to_string())),
            };
            self.insert(Cow::Owned(name), value);
        }
        Ok(())
    }
}

fn parse_headers(json: &[u8]) -> Result<BTreeMap<String, Value>, Unfit> {
    if json == b"{}" {
        return Ok(BTreeMap::new());
    }
    let headers: Option<BTreeMap<String, Value>> =
        serde_json::from_slice(json).map_err(|error| Unfit::Headers(error.to_string()))?;
    Ok(headers.unwrap_or_default())
}

#[cfg(test)]
mod tests;
