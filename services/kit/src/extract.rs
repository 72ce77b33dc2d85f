//! Extractors that answer what they cannot read with a problem naming the
//! field to blame.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::idempotency;
use crate::problem::{FieldError, Problem};

/// The body of an unsafe call, with its idempotency key if it has one.
///
/// Malformed JSON, wrong types, missing and (with `deny_unknown_fields`)
/// unknown fields are answered 400, a body over the limit 413, another
/// content type 415.
#[derive(Debug)]
pub struct Command<T> {
    /// The body.
    pub body: T,
    /// The request's `Idempotency-Key`, tied to its route and body.
    pub key: Option<idempotency::Key>,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Command<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        require_json(&parts.headers)?;
        let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state)
            .await
            .map_err(unreadable_body)?;
        let key = idempotency::Key::of_request(&parts, &bytes)?;
        let body = parse_json(&bytes)?;
        Ok(Self { body, key })
    }
}

/// Reads JSON.
///
/// # Errors
///
/// A 400 problem that names the field to blame where there is one.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Without this check an array of a struct's values in order would pass too.
    if bytes.trim_ascii_start().first().is_some_and(|first| *first != b'{') {
        return Err(not_an_object());
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|err| {
        let path = err.path().to_string();
        invalid_body(&path, err.inner())
    })?;
    deserializer.end().map_err(|err| invalid_body(".", &err))?;
    Ok(value)
}

fn not_an_object() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "the body is not a JSON object")
        .typed("invalid-request", "Invalid request body")
}

fn invalid_body(path: &str, err: &serde_json::Error) -> Problem {
    let text = err.to_string();
    let field = match path {
        // A missing or repeated field is named by the message alone.
        "." => text
            .strip_prefix("missing field `")
            .or_else(|| text.strip_prefix("duplicate field `"))
            .and_then(|rest| rest.split_once('`'))
            .map(|(name, _)| name.to_owned()),
        // The text ended before a name.
        "?" => None,
        path => Some(path.to_owned()),
    };
    let detail = field.as_ref().map_or_else(
        || format!("the body is not valid JSON of the expected form: {text}"),
        |field| format!("{field}: {text}"),
    );
    Problem::new(StatusCode::BAD_REQUEST, detail)
        .typed("invalid-request", "Invalid request body")
        .with_errors(field.map(|field| FieldError::new(field, text)).into_iter().collect())
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    // Clients that name no type are taken at their word.
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let essence = content_type
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        .with_errors(vec![FieldError::new("Content-Type", "expected application/json")]))
}

fn unreadable_body(rejection: BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than this service accepts")
    } else {
        Problem::new(StatusCode::BAD_REQUEST, "the body could not be read to its end")
            .caused_by(rejection)
    }
}

/// The text of the path's parameters.
#[derive(Debug)]
pub struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// Reads one parameter.
    ///
    /// # Errors
    ///
    /// A 400 problem with `detail` that names the parameter.
    pub fn parse<T: std::str::FromStr>(&self, name: &str, detail: &str) -> Result<T, Problem> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .and_then(|(_, value)| value.parse().ok())
            .ok_or_else(|| {
                Problem::new(StatusCode::BAD_REQUEST, detail)
                    .typed("invalid-request", "Invalid request")
                    .with_errors(vec![FieldError::new(name, detail)])
            })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|err| {
            Problem::new(StatusCode::BAD_REQUEST, "the path is not valid UTF-8").caused_by(err)
        })?;
        Ok(Self(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Money;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Payment {
        #[serde(rename = "user_id")]
        _user_id: i64,
        #[serde(rename = "amount")]
        _amount: Money,
        #[serde(default, rename = "items")]
        _items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[serde(rename = "name")]
        _name: String,
    }

    fn blamed(text: &str) -> Vec<String> {
        let problem = parse_json::<Payment>(text.as_bytes()).unwrap_err();
        assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
        problem.errors().iter().map(|err| err.field.clone()).collect()
    }

    #[test]
    fn the_field_to_blame_is_named() {
        for (text, field) in [
            (r#"{"user_id":"1","amount":1}"#, "user_id"),
            (r#"{"user_id":1.5,"amount":1}"#, "user_id"),
            (r#"{"user_id":9223372036854775808,"amount":1}"#, "user_id"),
            (r#"{"user_id":1}"#, "amount"),
            (r#"{"user_id":1,"amount":"1"}"#, "amount"),
            (r#"{"user_id":1,"amount":null}"#, "amount"),
            (r#"{"user_id":1,"amount":0.00001}"#, "amount"),
            (r#"{"user_id":1,"amount":1,"amount":2}"#, "amount"),
            (r#"{"user_id":1,"amount":1,"colour":2}"#, "colour"),
            (r#"{"user_id":1,"amount":1,"items":[{"name":"a"},{"name":1}]}"#, "items[1].name"),
        ] {
            assert_eq!(blamed(text), [field], "{text}");
        }
    }

    #[test]
    fn malformed_json_blames_no_field() {
        for text in ["", "{", "{]", "[]", "[1,2]", "null", "\"a\"", r#"{"user_id":1,"amount":1} x"#]
        {
            assert!(blamed(text).is_empty(), "{text}");
        }
    }
}
