//! Small JSON documents of an issuer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kit::settings::ConfigurationError;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;

const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 256 * 1024;

/// Why a document is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfetched {
    #[error("{0}")]
    Address(String),
    #[error("the issuer says it is {0:?}")]
    OtherIssuer(String),
    #[error("{0} cannot be asked for")]
    Request(String, #[source] axum::http::Error),
    #[error("{0} could not be reached")]
    Unreachable(String, #[source] hyper_util::client::legacy::Error),
    #[error("{0} answered {1}")]
    Status(String, StatusCode),
    #[error("{0} did not answer within {TIMEOUT:?}")]
    Timeout(String),
    #[error("the answer of {0} broke off or is longer than {MAX_BYTES} bytes")]
    Body(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer of {0} is not what it should be")]
    Content(String, #[source] serde_json::Error),
}

/// Fetches documents, over TLS that trusts the system's authorities.
#[derive(Clone, Debug)]
pub(super) struct Fetcher(Client<HttpsConnector<HttpConnector>, Body>);

impl Fetcher {
    pub(super) fn new() -> Result<Self, ConfigurationError> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|err| ConfigurationError(format!("TLS: {err}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    pub(super) async fn fetch<T: DeserializeOwned>(&self, from: &Uri) -> Result<T, Unfetched> {
        let read = self.read(from);
        let bytes = tokio::time::timeout(TIMEOUT, read)
            .await
            .map_err(|_| Unfetched::Timeout(from.to_string()))??;
        serde_json::from_slice(&bytes).map_err(|err| Unfetched::Content(from.to_string(), err))
    }

    async fn read(&self, from: &Uri) -> Result<axum::body::Bytes, Unfetched> {
        let request = Request::get(from)
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|err| Unfetched::Request(from.to_string(), err))?;
        let response = self
            .0
            .request(request)
            .await
            .map_err(|err| Unfetched::Unreachable(from.to_string(), err))?;
        if response.status() != StatusCode::OK {
            return Err(Unfetched::Status(from.to_string(), response.status()));
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        body.map(http_body_util::Collected::to_bytes)
            .map_err(|err| Unfetched::Body(from.to_string(), err))
    }
}
