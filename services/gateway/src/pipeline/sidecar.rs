//! Asking a sidecar's admin port.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kit::Problem;
use kit::settings::ConfigurationError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::settings::{NamedSidecar, PipelineSettings};
use crate::proxy::{self, HttpClient};

/// A sidecar answers from memory, or with a page from its database.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest answer: a page of dead letters with long reasons.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The way to one sidecar.
#[derive(Clone, Debug)]
pub(super) struct Sidecar {
    named: NamedSidecar,
    token_file: Option<Arc<PathBuf>>,
    client: HttpClient,
}

/// Why there is no answer to make use of.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the file with the sidecars' token cannot be read")]
    Token(#[source] std::io::Error),
    #[error("the sidecars' token cannot be sent")]
    UnsendableToken(#[source] header::InvalidHeaderValue),
    #[error("the sidecar of {0} is not reachable at the moment")]
    Unreachable(String, #[source] hyper_util::client::legacy::Error),
    #[error("the sidecar of {0} did not answer within {TIMEOUT:?}")]
    Timeout(String),
    #[error("the answer of the sidecar of {0} broke off, or is too large")]
    Broken(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer of the sidecar of {0} is not understood")]
    NotUnderstood(String, #[source] serde_json::Error),
    #[error("the request cannot be made")]
    Unaskable(#[from] axum::http::Error),
    #[error("{detail}")]
    Refused { status: StatusCode, detail: String },
}

/// How a sidecar says no.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Sidecar {
    /// One for each in the settings.
    ///
    /// # Errors
    ///
    /// A sidecar is named twice, or the token's file cannot be read.
    pub(super) fn all(settings: &PipelineSettings) -> Result<Vec<Self>, ConfigurationError> {
        let mut names = HashSet::new();
        if let Some(twice) = settings.sidecars.iter().find(|named| !names.insert(&named.service)) {
            let service = &twice.service;
            return Err(ConfigurationError(format!("--sidecars names `{service}` twice")));
        }
        if let Some(file) = &settings.sidecar_token_file {
            std::fs::read_to_string(file).map_err(|err| {
                ConfigurationError(format!("--sidecar-token-file {}: {err}", file.display()))
            })?;
        }
        let token_file = settings.sidecar_token_file.clone().map(Arc::new);
        let client = proxy::client();
        let sidecar = |named: &NamedSidecar| Self {
            named: named.clone(),
            token_file: token_file.clone(),
            client: client.clone(),
        };
        Ok(settings.sidecars.iter().map(sidecar).collect())
    }

    /// Whose it is.
    pub(super) fn service(&self) -> &str {
        &self.named.service
    }

    /// Asks for something.
    ///
    /// # Errors
    ///
    /// There is no answer, or it is a refusal.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Method::GET, path, Body::empty()).await
    }

    /// Has something done.
    ///
    /// # Errors
    ///
    /// There is no answer, or it is a refusal; without an answer it may have been done.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, Failure> {
        self.ask(Method::POST, path, Body::from(body.to_string())).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<T, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.named.url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)?;
        if let Some(token) = self.token().await? {
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let (status, body) = match tokio::time::timeout(TIMEOUT, self.send(request)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(Failure::Timeout(self.service().to_owned())),
        };
        if status == StatusCode::OK {
            return serde_json::from_slice(&body)
                .map_err(|err| Failure::NotUnderstood(self.service().to_owned(), err));
        }
        let detail = match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => refusal.error,
            Err(_) => format!("the sidecar of {} answered {status}", self.service()),
        };
        Err(Failure::Refused { status, detail })
    }

    async fn send(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), Failure> {
        let service = || self.service().to_owned();
        let response = self
            .client
            .request(request)
            .await
            .map_err(|err| Failure::Unreachable(service(), err))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        let body = body.map_err(|err| Failure::Broken(service(), err))?.to_bytes();
        Ok((status, body))
    }

    async fn token(&self) -> Result<Option<HeaderValue>, Failure> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let text = tokio::fs::read_to_string(file.as_path()).await.map_err(Failure::Token)?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", text.trim_end()))
            .map_err(Failure::UnsendableToken)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let told = failure.to_string();
        match failure {
            Failure::Unreachable(..) | Failure::Timeout(_) => {
                Self::unavailable(told).caused_by(failure)
            }
            Failure::Refused { status: StatusCode::BAD_REQUEST, .. } => {
                Self::new(StatusCode::BAD_REQUEST, told)
            }
            Failure::Refused { status: StatusCode::NOT_FOUND, .. } => Self::not_found(told),
            Failure::Refused { status: StatusCode::SERVICE_UNAVAILABLE, .. } => {
                Self::unavailable(told)
            }
            Failure::Refused { .. } | Failure::Broken(..) | Failure::NotUnderstood(..) => {
                Self::new(StatusCode::BAD_GATEWAY, told).caused_by(failure)
            }
            Failure::Token(_) | Failure::UnsendableToken(_) | Failure::Unaskable(_) => {
                Self::internal(failure)
            }
        }
    }
}
