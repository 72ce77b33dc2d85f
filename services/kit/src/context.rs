//! What is known of a request beside its content: its id and its place in a
//! trace.

use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Names a request in logs and answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Continues a trace (W3C Trace Context).
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest request id taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// A request's id and its place in a trace.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The client's `X-Request-Id` where it is usable, else a new one.
    pub request_id: HeaderValue,
    /// The trace the client started, continued; else a new one.
    pub trace: Trace,
}

impl RequestContext {
    /// The context a request's headers ask for.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let request_id = headers
            .get(REQUEST_ID)
            .filter(|id| is_usable_request_id(id.as_bytes()))
            .cloned()
            .unwrap_or_else(new_request_id);
        let trace = headers
            .get(TRACEPARENT)
            .and_then(|value| value.to_str().ok())
            .and_then(Trace::parse)
            .map_or_else(Trace::start, |trace| trace.child());
        Self { request_id, trace }
    }

    /// The request id as text.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

fn new_request_id() -> HeaderValue {
    // A hyphenated uuid is always a valid header value.
    HeaderValue::from_str(&Uuid::now_v7().to_string())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn is_usable_request_id(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::from_headers(&parts.headers)))
    }
}

/// A span of a trace, as `traceparent` carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Trace {
    trace_id: u128,
    span_id: u64,
    flags: u8,
}

impl Trace {
    /// The first span of a new, sampled trace.
    #[must_use]
    pub fn start() -> Self {
        Self { trace_id: Uuid::new_v4().as_u128(), span_id: new_span_id(), flags: 1 }
    }

    /// A new span below this one.
    #[must_use]
    pub fn child(self) -> Self {
        Self { span_id: new_span_id(), ..self }
    }

    /// Reads a `traceparent`; `None` when it is not valid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(parts.next()?, 2)?).ok()?;
        // Later versions may append fields; version 0 may not, 255 is invalid.
        let valid = version != 0xff && (version > 0 || parts.next().is_none());
        (valid && trace_id != 0 && span_id != 0).then_some(Self {
            trace_id,
            span_id,
            flags: flags & 1,
        })
    }

    /// The trace's id, 32 hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span's id, 16 hexadecimal digits.
    #[must_use]
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let lowercase = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(lowercase))
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()
}

fn new_span_id() -> u64 {
    // Half of a random uuid; zero is not a valid id.
    (Uuid::new_v4().as_u64_pair().1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_traceparent_is_continued() {
        let mut headers = HeaderMap::new();
        headers.insert(TRACEPARENT, HeaderValue::from_static(PARENT));
        let trace = RequestContext::from_headers(&headers).trace;
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(trace.span_id(), "00f067aa0ba902b7");
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
        assert_eq!(Trace::parse(PARENT).unwrap().to_string(), PARENT);
    }

    #[test]
    fn an_invalid_traceparent_starts_a_new_trace() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(Trace::parse(bad), None, "{bad}");
        }
        assert!(Trace::parse(&Trace::start().to_string()).is_some());
    }

    #[test]
    fn only_a_plain_request_id_is_taken_over() {
        let id = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(text));
            RequestContext::from_headers(&headers).request_id().to_owned()
        };
        assert_eq!(id("order-7:a.b"), "order-7:a.b");
        for bad in ["", "two words", "<script>", "a\tb"] {
            let new = id(bad);
            assert_ne!(new, bad);
            assert!(Uuid::parse_str(&new).is_ok());
        }
    }
}
