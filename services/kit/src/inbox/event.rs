//! CloudEvents as the sidecar delivers them.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::context::Trace;
use crate::inbox::Refusal;
use crate::problem::Problem;

/// A message to apply.
#[derive(Debug)]
pub struct Event {
    /// The message's id in the inbox table.
    pub id: Uuid,
    /// What happened.
    pub r#type: String,
    /// The message's key: events with the same one come in order.
    pub subject: Option<String>,
    /// The span of applying it, below the sender's.
    pub trace: Trace,
    /// The topic and partition it came from.
    pub source: (String, String),
    /// When Kafka had it, to the millisecond, by the clock of the producer's host or
    /// of the broker; `None` if that is not known.
    pub published_at: Option<Timestamp>,
    /// What is missing before it, of an inbox without a table.
    pub gap: Option<Gap>,
    data: Option<Box<RawValue>>,
}

/// What is missing before an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gap {
    /// What came before the sidecar was there.
    Start,
    /// What was dropped.
    Dropped,
}

impl Event {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// The event is rejected: the payload is absent, not JSON, or of another
    /// form.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let data = self
            .data
            .as_ref()
            .ok_or_else(|| Refusal::Rejected("the payload is absent or not JSON".to_owned()))?;
        let mut deserializer = serde_json::Deserializer::from_str(data.get());
        serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|err| Refusal::Rejected(format!("the payload cannot be read: {err}")))
    }
}

/// An event that is no CloudEvent this service can read.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) id: String,
    pub(super) reason: String,
}

/// The attributes used; others are tolerated, as CloudEvents asks.
#[derive(Deserialize)]
struct Attributes {
    id: String,
    #[serde(default)]
    specversion: String,
    #[serde(default, rename = "type")]
    kind: String,
    subject: Option<String>,
    traceparent: Option<String>,
    #[serde(default)]
    kafkatopic: String,
    #[serde(default)]
    kafkapartition: String,
    kafkatimestamp: Option<String>,
    kafkagap: Option<String>,
    data: Option<Box<RawValue>>,
}

/// Reads a batch.
///
/// # Errors
///
/// The body is not a JSON array of objects with an `id`.
pub(super) fn parse_batch(body: &[u8]) -> Result<Vec<Result<Event, Malformed>>, Problem> {
    let batch: Vec<Attributes> = serde_json::from_slice(body).map_err(|err| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("the body is not a batch of CloudEvents: {err}"),
        )
    })?;
    Ok(batch.into_iter().map(Event::try_from).collect())
}

impl TryFrom<Attributes> for Event {
    type Error = Malformed;

    fn try_from(attributes: Attributes) -> Result<Self, Self::Error> {
        let malformed = |id: &str, reason: String| Malformed { id: id.to_owned(), reason };
        if attributes.specversion != "1.0" {
            let reason = format!("specversion {:?} is not 1.0", attributes.specversion);
            return Err(malformed(&attributes.id, reason));
        }
        let id = Uuid::parse_str(&attributes.id)
            .map_err(|err| malformed(&attributes.id, format!("the id is not a uuid: {err}")))?;
        Ok(Self {
            id,
            r#type: attributes.kind,
            subject: attributes.subject,
            source: (attributes.kafkatopic, attributes.kafkapartition),
            // Good to know, but nothing to refuse an event for.
            published_at: attributes.kafkatimestamp.and_then(|at| at.parse().ok()),
            gap: attributes.kafkagap.map(|gap| match gap.as_str() {
                "start" => Gap::Start,
                _ => Gap::Dropped,
            }),
            trace: attributes
                .traceparent
                .as_deref()
                .and_then(Trace::parse)
                .map_or_else(Trace::start, Trace::child),
            data: attributes.data,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Money;

    #[test]
    fn a_batch_is_read_event_by_event() {
        let body = br#"[
            {"specversion":"1.0","id":"0191d2c2-0000-7000-8000-000000000001","source":"/kafka/t","type":"a",
             "subject":"k","datacontenttype":"application/json","data":999999999999999.9999,"kafkaoffset":"3","kafkatopic":"t","kafkapartition":"2",
             "traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
             "kafkatimestamp":"2026-11-22T12:00:00.123Z"},
            {"specversion":"1.0","id":"0191d2c2-0000-7000-8000-000000000002","type":"a","data_base64":"AA==","kafkatimestamp":"noon",
             "kafkagap":"dropped"},
            {"specversion":"0.3","id":"x"},
            {"specversion":"1.0","id":"y"}
        ]"#;
        let batch = parse_batch(body).unwrap();
        let first = batch[0].as_ref().unwrap();
        assert_eq!(first.subject.as_deref(), Some("k"));
        assert_eq!((&*first.source.0, &*first.source.1, first.gap), ("t", "2", None));
        assert_eq!(first.published_at.unwrap().as_millisecond() % 1000, 123);
        assert_eq!(first.trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        let amount: Money = first.payload().unwrap();
        assert_eq!(amount.to_string(), "999999999999999.9999");
        let second = batch[1].as_ref().unwrap();
        assert!(second.payload::<Money>().is_err());
        assert_eq!(second.published_at, None);
        assert_eq!(second.gap, Some(Gap::Dropped));
        assert!(batch[2].as_ref().unwrap_err().reason.contains("specversion"));
        assert!(batch[3].as_ref().unwrap_err().reason.contains("uuid"));
    }

    #[test]
    fn a_body_that_is_no_batch_is_refused() {
        for body in ["", "{}", "[1]", "[{}]"] {
            assert!(parse_batch(body.as_bytes()).is_err(), "{body}");
        }
    }
}
