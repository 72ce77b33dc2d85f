//! An HTTP answer, read to its end.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests' own assertions, which fail by panicking"
)]

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

/// No request takes longer, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a service answered.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub text: String,
}

impl Answer {
    /// Sends a request and reads its answer, within a minute.
    ///
    /// # Panics
    ///
    /// There is no whole answer, or it is not text.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.timeout(PATIENCE).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// It is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|err| panic!("{err}: {self:?}"))
    }

    /// A header's value, if it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Asserts that this is a problem document of `status` whose first error
    /// names `field`, or that names none when `field` is empty; returns it.
    ///
    /// # Panics
    ///
    /// It is not.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, field: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        for member in ["type", "title", "detail"] {
            assert!(problem[member].is_string(), "{member} of {problem}");
        }
        assert_eq!(problem["status"], status, "{problem}");
        let blamed = &problem["errors"][0]["field"];
        assert_eq!(blamed.as_str().unwrap_or_default(), field, "{problem}");
        problem
    }
}
