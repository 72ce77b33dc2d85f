//! Errors as clients see them: problem details, RFC 9457.

use std::error::Error;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::telemetry::Chain;

/// The media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// An error answer: `application/problem+json` with `type`, `title`,
/// `status`, `detail`, and `errors` when fields of the request are to blame.
///
/// A problem may carry the error behind it, which is logged when the answer
/// is made and never shown to the client.
#[derive(Debug)]
pub struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    body: Body,
    retry_after_seconds: Option<u64>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Debug, Serialize)]
struct Body {
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    #[serde(rename = "code", skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    legacy: Option<Legacy>,
}

/// The members of the first version's gateway errors.
#[derive(Debug, Serialize)]
struct Legacy {
    error: String,
    code: u16,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's path: `amount`, `items[0].name`, a path or query
    /// parameter's name, or a header's.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl FieldError {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

impl Problem {
    /// A problem titled as its status is, with a detail for this case.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            body: Body {
                r#type: "about:blank".to_owned(),
                title: status.canonical_reason().unwrap_or("Error").to_owned(),
                status: status.as_u16(),
                detail: detail.into(),
                errors: Vec::new(),
                name: None,
                legacy: None,
            },
            retry_after_seconds: None,
            cause: None,
        }))
    }

    /// A problem of a documented type: `slug` names it in `/problems/{slug}`.
    #[must_use]
    pub fn typed(mut self, slug: &str, title: impl Into<String>) -> Self {
        self.0.body.r#type = format!("/problems/{slug}");
        self.0.body.title = title.into();
        self
    }

    /// A request that cannot be read or breaks a rule, with the fields to
    /// blame.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|err| format!("{}: {}", err.field, err.detail))
            .collect::<Vec<_>>()
            .join("; ");
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, detail).typed("invalid-request", "Invalid request");
        problem.0.body.errors = errors;
        problem
    }

    /// A request with one field to blame.
    pub fn invalid_field(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, detail)])
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 500: a fault of this service; `cause` is logged, not shown.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request could not be carried out; it is safe to repeat it with the same Idempotency-Key",
        )
        .caused_by(cause)
    }

    /// 503 with `Retry-After: 1`: something this service needs is not there.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        problem.0.retry_after_seconds = Some(1);
        problem
    }

    /// Says after how many seconds a repetition has a chance.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_seconds = Some(seconds);
        self
    }

    /// Sets the title.
    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.0.body.title = title.into();
        self
    }

    /// Names the problem for programs, as its member `code`.
    #[must_use]
    pub fn coded(mut self, code: &'static str) -> Self {
        self.0.body.name = Some(code);
        self.0.body.legacy = None;
        self
    }

    /// Sets the fields to blame.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.body.errors = errors;
        self
    }

    /// Adds the members `error` and `code` of the first version's gateway.
    #[must_use]
    pub fn with_legacy_members(mut self) -> Self {
        self.0.body.legacy =
            Some(Legacy { error: self.0.body.title.clone(), code: self.0.body.status });
        self
    }

    /// Attaches the error behind the problem, for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.body.detail
    }

    /// The fields to blame.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.0.body.errors
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let inner = *self.0;
        if let Some(cause) = inner.cause {
            let error = Chain(cause.as_ref()).to_string();
            let status = inner.status.as_u16();
            if inner.status.is_server_error() {
                tracing::error!(status, %error, "request failed");
            } else {
                tracing::debug!(status, %error, "request refused");
            }
        }
        // Plain text members always serialise.
        let body = serde_json::to_vec(&inner.body).unwrap_or_default();
        let mut response = (inner.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(seconds) = inner.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
