//! CloudEvents 1.0, in the two modes of its Kafka binding.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, value::RawValue};

use super::{Headers, JSON, Mapping, Row, Stored, Unfit};
use crate::sql_name::ColumnName;

/// The media type of an event in the structured mode.
const STRUCTURED: &str = "application/cloudevents+json";

/// The attributes of the extension for distributed tracing, which a row brings
/// along in its headers.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// An event, in either mode.
pub(super) struct Event<'a> {
    attributes: Vec<(&'static str, Cow<'a, str>)>,
    content_type: &'a str,
    data: Option<Stored<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Member<'a> {
    Text(&'a str),
    Json(&'a RawValue),
    Owned(String),
}

impl Mapping {
    pub(super) fn event<'a>(
        &'a self,
        row: &Row<'a>,
        data: Option<Stored<'a>>,
        headers: &BTreeMap<String, Value>,
        value: impl Fn(&ColumnName) -> Option<&'a str>,
    ) -> Result<Event<'a>, Unfit> {
        let needed = |attribute, text: Option<Cow<'a, str>>| match text {
            Some(text) if !text.is_empty() => Ok((attribute, text)),
            _ => Err(Unfit::Attribute { attribute }),
        };
        let mut attributes = vec![
            ("specversion", Cow::Borrowed("1.0")),
            needed("id", row.id.map(Cow::Borrowed))?,
            needed("source", self.source.render(&value))?,
            needed("type", row.event_type.map(Cow::Borrowed))?,
        ];
        let subject = match &self.payload.subject {
            Some(template) => template.render(&value),
            None => row.key.map(Cow::Borrowed),
        };
        let schema = self.payload.data_schema.as_ref().and_then(|schema| schema.render(&value));
        let optional =
            [("subject", subject), ("time", row.time.map(Cow::Borrowed)), ("dataschema", schema)];
        for (name, text) in optional {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                attributes.push((name, text));
            }
        }
        for name in TRACE {
            if let Some(Value::String(text)) = headers.get(name) {
                attributes.push((name, Cow::Owned(text.clone())));
            }
        }
        let by_kind = match data {
            None | Some(Stored::Json(_)) => JSON,
            Some(Stored::Text(_)) => "text/plain",
            Some(Stored::Bytes(_)) => "application/octet-stream",
        };
        let content_type = self.payload.content_type.as_deref().unwrap_or(by_kind);
        Ok(Event { attributes, content_type, data })
    }
}

impl<'a> Event<'a> {
    /// The attributes as headers, the data as the value.
    pub(super) fn binary(self, headers: &mut Headers<'a>) -> Option<Cow<'a, [u8]>> {
        for (name, text) in self.attributes {
            headers.add(format!("ce_{name}"), text);
        }
        let data = self.data?;
        headers.add("content-type", self.content_type);
        Some(Cow::Borrowed(data.bytes()))
    }

    /// One JSON object. Data that are JSON are embedded digit for digit. Without
    /// data there is no event to carry: the record is a tombstone.
    pub(super) fn structured(
        self,
        headers: &mut Headers<'a>,
    ) -> Result<Option<Cow<'a, [u8]>>, Unfit> {
        let Some(data) = self.data else { return Ok(None) };
        headers.add("content-type", STRUCTURED);
        let (name, member) = if is_json(self.content_type) {
            ("data", Member::Json(data.json()?))
        } else if let Stored::Bytes(bytes) = data {
            ("data_base64", Member::Owned(STANDARD.encode(bytes)))
        } else {
            let text = std::str::from_utf8(data.bytes())
                .map_err(|_| Unfit::NotText(self.content_type.to_owned()))?;
            ("data", Member::Text(text))
        };
        let mut event: BTreeMap<&str, Member<'_>> =
            self.attributes.iter().map(|(name, text)| (*name, Member::Text(text))).collect();
        event.insert("datacontenttype", Member::Text(self.content_type));
        event.insert(name, member);
        let json = serde_json::to_vec(&event).map_err(|error| Unfit::NotJson(error.to_string()))?;
        Ok(Some(Cow::Owned(json)))
    }
}

/// `application/json`, `application/vnd.order+json; charset=utf-8` and so on.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}
