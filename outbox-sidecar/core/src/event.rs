//! What the application receives and answers: CloudEvents 1.0 in a batch.
//!
//! The formats are those of <https://github.com/cloudevents/spec>: structured
//! JSON events in an array, `application/cloudevents-batch+json`.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::delivery::Outcome;

/// The media type of a delivery's body.
pub const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";

/// The extension attribute by which the first message after a
/// [`Gap`](crate::live_feed::Gap) of a live feed tells of it.
pub const GAP: &str = "kafkagap";

/// The extension attribute that tells the record's timestamp in Kafka. It lies
/// among the headers, so that it is kept in a table as they are.
pub const TIMESTAMP: &str = "kafkatimestamp";

/// The type of a message that carries none.
const UNKNOWN_TYPE: &str = "unknown";

/// A message as it lies in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// The inbox row's key.
    pub id: Uuid,
    /// The topic it came from.
    pub topic: String,
    /// The partition it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
    /// The Kafka key.
    pub key: Option<Vec<u8>>,
    /// The `type` header.
    pub event_type: Option<String>,
    /// The Kafka value; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Text headers other than `id` and `type`, and the sidecar's own attributes:
    /// [`GAP`], [`TIMESTAMP`].
    pub headers: BTreeMap<String, String>,
    /// When it was received.
    pub received_at: jiff::Timestamp,
}

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: jiff::Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacontenttype: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    kafkatopic: &'a str,
    kafkapartition: String,
    kafkaoffset: String,
    #[serde(flatten)]
    extensions: BTreeMap<&'a str, &'a str>,
}

/// The body of a delivery.
///
/// A payload that is JSON is embedded as it is, number for number; any other
/// goes as `data_base64`; a null payload has no data. A header becomes an
/// extension attribute if its name is one (lower-case letters and digits, at
/// most 20) and no other attribute's.
///
/// # Errors
/// Only if a JSON writer fails on plain strings, which it does not.
pub fn batch_body<'a>(
    messages: impl IntoIterator<Item = &'a InboxMessage>,
) -> Result<Vec<u8>, serde_json::Error> {
    let events: Vec<_> = messages.into_iter().map(event).collect();
    serde_json::to_vec(&events)
}

fn event(message: &InboxMessage) -> Event<'_> {
    let json: Option<&RawValue> =
        message.payload.as_deref().and_then(|payload| serde_json::from_slice(payload).ok());
    Event {
        specversion: "1.0",
        id: message.id,
        source: format!("/kafka/{}", message.topic),
        r#type: message
            .event_type
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(UNKNOWN_TYPE),
        subject: message
            .key
            .as_deref()
            .and_then(|key| std::str::from_utf8(key).ok())
            .filter(|key| !key.is_empty()),
        time: message.received_at,
        datacontenttype: json.map(|_| "application/json"),
        data: json,
        data_base64: match (json, &message.payload) {
            (None, Some(payload)) => Some(STANDARD.encode(payload)),
            _ => None,
        },
        kafkatopic: &message.topic,
        kafkapartition: message.partition.to_string(),
        kafkaoffset: message.offset.to_string(),
        extensions: message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| is_extension(name))
            .collect(),
    }
}

fn is_extension(name: &str) -> bool {
    const TAKEN: [&str; 12] = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "data",
        "kafkatopic",
        "kafkapartition",
        "kafkaoffset",
    ];
    !name.is_empty()
        && name.len() <= 20
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        && !TAKEN.contains(&name)
}

/// The application's answer to a delivery.
#[derive(Debug, Deserialize)]
pub struct DeliveryAnswer {
    results: Vec<EventResult>,
}

#[derive(Debug, Deserialize)]
struct EventResult {
    id: Uuid,
    status: Status,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Applied,
    Duplicate,
    Rejected,
    Retry,
}

impl DeliveryAnswer {
    /// Reads an answer's body.
    ///
    /// # Errors
    /// The body is not an answer as documented.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(body)
    }

    /// What became of each message the answer speaks of.
    pub fn outcomes(self) -> HashMap<Uuid, Outcome> {
        self.results
            .into_iter()
            .map(|result| {
                let reason =
                    result.reason.unwrap_or_else(|| "the application gave no reason".to_owned());
                let outcome = match result.status {
                    Status::Applied | Status::Duplicate => Outcome::Done,
                    Status::Rejected => Outcome::Rejected(reason),
                    Status::Retry => Outcome::Retry(reason),
                };
                (result.id, outcome)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: Option<&[u8]>) -> InboxMessage {
        InboxMessage {
            id: Uuid::from_u128(7),
            topic: "tasks".into(),
            partition: 2,
            offset: 41,
            key: Some(b"order-1".to_vec()),
            event_type: Some("order.placed".into()),
            payload: payload.map(<[u8]>::to_vec),
            headers: [("traceparent", "00-ab"), ("X-Other", "1"), ("id", "no")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            received_at: "2026-11-22T12:00:00Z".parse().unwrap(),
        }
    }

    fn body(payload: Option<&[u8]>) -> String {
        String::from_utf8(batch_body([&message(payload)]).unwrap()).unwrap()
    }

    #[test]
    fn a_json_payload_is_embedded_number_for_number() {
        assert_eq!(
            body(Some(br#"{"amount":999999999999999.9999}"#)),
            concat!(
                r#"[{"specversion":"1.0","id":"00000000-0000-0000-0000-000000000007","source":"/kafka/tasks","#,
                r#""type":"order.placed","subject":"order-1","time":"2026-11-22T12:00:00Z","#,
                r#""datacontenttype":"application/json","data":{"amount":999999999999999.9999},"#,
                r#""kafkatopic":"tasks","kafkapartition":"2","kafkaoffset":"41","traceparent":"00-ab"}]"#
            )
        );
    }

    #[test]
    fn other_payloads_are_base64_and_tombstones_have_no_data() {
        assert!(body(Some(b"\xff{not json")).contains(r#""data_base64":"/3tub3QganNvbg==""#));
        assert!(!body(None).contains("data"));
    }

    #[test]
    fn an_answer_maps_to_outcomes() {
        let answer = br#"{"results":[
            {"id":"00000000-0000-0000-0000-000000000001","status":"applied"},
            {"id":"00000000-0000-0000-0000-000000000002","status":"duplicate"},
            {"id":"00000000-0000-0000-0000-000000000003","status":"rejected","reason":"malformed"},
            {"id":"00000000-0000-0000-0000-000000000004","status":"retry","reason":"deadlock"}]}"#;
        let outcomes = DeliveryAnswer::parse(answer).unwrap().outcomes();
        let of = |number| &outcomes[&Uuid::from_u128(number)];
        assert_eq!(of(1), &Outcome::Done);
        assert_eq!(of(2), &Outcome::Done);
        assert_eq!(of(3), &Outcome::Rejected("malformed".into()));
        assert_eq!(of(4), &Outcome::Retry("deadlock".into()));
        assert!(DeliveryAnswer::parse(b"OK").is_err());
    }
}
