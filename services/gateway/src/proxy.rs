//! Passing a request on.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::uri::{Authority, PathAndQuery, Scheme};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kit::settings::HttpUrl;
use kit::{Problem, RequestContext};

use crate::connect::{Connector, connector};
use crate::headers::{set_provenance, strip_hop_by_hop};
use crate::settings::ProxySettings;

/// Well below the services' own idle limit, so that a kept connection is
/// rarely closed under a request.
const KEEP_IDLE: Duration = Duration::from_secs(15);
const MAX_IDLE_PER_HOST: usize = 512;

/// A client that keeps its connections.
pub(crate) type HttpClient = Client<Connector, Body>;

pub(crate) fn client() -> HttpClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEEP_IDLE)
        .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
        .build(connector())
}

/// The way to one service.
#[derive(Clone)]
pub(crate) struct Proxy {
    service: &'static str,
    client: HttpClient,
    authority: Authority,
    timeout: Duration,
    max_body_bytes: usize,
    trust_forwarded: bool,
}

impl Proxy {
    pub(crate) fn new(
        service: &'static str,
        client: HttpClient,
        url: &HttpUrl,
        timeout: Duration,
        settings: &ProxySettings,
    ) -> Self {
        Self {
            service,
            client,
            authority: url.authority().clone(),
            timeout,
            max_body_bytes: settings.max_body_bytes,
            trust_forwarded: settings.trust_forwarded,
        }
    }
}

impl Proxy {
    /// The largest body that is passed on.
    pub(crate) fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }
}

/// Why there is no answer of the service.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the body is too large")]
    TooLarge,
    #[error("the service could not be reached")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the service did not answer in time")]
    Timeout,
    #[error("the connection to the service broke")]
    Broken(#[source] hyper_util::client::legacy::Error),
    #[error("the request cannot be passed on")]
    Unpassable(#[from] axum::http::uri::InvalidUriParts),
}

/// Passes a request on and answers what the service does.
pub(crate) async fn forward(
    State(proxy): State<Proxy>,
    context: RequestContext,
    request: Request,
) -> Response {
    match proxy.pass(&context, request).await {
        Ok(response) => response,
        Err(failure) => proxy.problem(failure).into_response(),
    }
}

impl Proxy {
    async fn pass(
        &self,
        context: &RequestContext,
        mut request: Request,
    ) -> Result<Response, Failure> {
        let client = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(address)| address.ip());
        *request.uri_mut() = self.target(request.uri())?;
        strip_hop_by_hop(request.headers_mut());
        set_provenance(request.headers_mut(), context, client, self.trust_forwarded);
        *request.version_mut() = axum::http::Version::HTTP_11;
        // Tells the layers of this process something, the service nothing.
        request.extensions_mut().clear();

        if request.body().size_hint().lower()
            > u64::try_from(self.max_body_bytes).unwrap_or(u64::MAX)
        {
            return Err(Failure::TooLarge);
        }
        let request = request.map(|body| Body::new(Limited::new(body, self.max_body_bytes)));
        let answer = tokio::time::timeout(self.timeout, self.send(request));
        let mut response = answer.await.map_err(|_| Failure::Timeout)??;
        strip_hop_by_hop(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// Sends a request; a GET once more when the connection broke before its
    /// answer, as a kept one does when the service closes it just then.
    async fn send(
        &self,
        request: Request,
    ) -> Result<hyper::Response<hyper::body::Incoming>, Failure> {
        let again = repeatable(&request).then(|| {
            let mut again = Request::new(Body::empty());
            *again.method_mut() = request.method().clone();
            *again.uri_mut() = request.uri().clone();
            *again.headers_mut() = request.headers().clone();
            again
        });
        let err = match self.client.request(request).await {
            Ok(response) => return Ok(response),
            Err(err) => err,
        };
        match again {
            Some(again) if !err.is_connect() => {
                tracing::debug!(service = self.service, error = %err, "repeating a request whose connection broke");
                self.client.request(again).await.map_err(failure)
            }
            _ => Err(failure(err)),
        }
    }

    fn target(&self, uri: &Uri) -> Result<Uri, axum::http::uri::InvalidUriParts> {
        let mut parts = axum::http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        let path = uri.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts)
    }

    fn problem(&self, failure: Failure) -> Problem {
        let service = self.service;
        let problem = match &failure {
            Failure::TooLarge => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {} bytes", self.max_body_bytes),
            ),
            Failure::Unreachable(_) => Problem::unavailable(format!(
                "the {service} service is not reachable at the moment"
            )),
            Failure::Timeout => Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("the {service} service did not answer within {:?}", self.timeout),
            ),
            Failure::Broken(_) => Problem::new(
                StatusCode::BAD_GATEWAY,
                format!(
                    "the connection to the {service} service broke; whether the request had an effect is unknown"
                ),
            ),
            Failure::Unpassable(_) => {
                Problem::new(StatusCode::BAD_REQUEST, "the request's address is not valid")
            }
        };
        problem.with_legacy_members().caused_by(failure)
    }
}

/// Whether a request can be sent twice: it changes nothing and has no body.
fn repeatable(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && request.body().is_end_stream()
        && !request.headers().contains_key(header::TRANSFER_ENCODING)
}

fn failure(err: hyper_util::client::legacy::Error) -> Failure {
    if err.is_connect() {
        return Failure::Unreachable(err);
    }
    let mut source: Option<&(dyn Error + 'static)> = Some(&err);
    while let Some(cause) = source {
        if cause.is::<LengthLimitError>() {
            return Failure::TooLarge;
        }
        source = cause.source();
    }
    Failure::Broken(err)
}
