//! A gateway on a port of its own, and services to put behind it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use clap::Parser;
use gateway::Settings;
use kit::Metrics;
use kit::server::Listener;
use reqwest::{RequestBuilder, StatusCode};
use test_support::answer::Answer;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a service was asked.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A service that answers `201 {"made":true}` and remembers what it was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Seen>>>);

impl Recorder {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) async fn start(&self, stop: &CancellationToken) -> SocketAddr {
        let router = Router::new().fallback(record).with_state(self.clone());
        serve(router, stop).await
    }
}

async fn record(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl axum::response::IntoResponse {
    recorder.0.lock().unwrap().push(Seen { method, uri, headers, body });
    let headers = [("idempotency-replayed", "true"), ("link", "</orders>; rel=\"next\"")];
    (StatusCode::CREATED, headers, axum::Json(serde_json::json!({"made": true})))
}

pub(crate) async fn serve(router: Router, stop: &CancellationToken) -> SocketAddr {
    let listener = Listener::bind("test", ([127, 0, 0, 1], 0).into(), router).await.unwrap();
    let address = listener.address();
    tokio::spawn(listener.serve(stop.clone(), Duration::from_secs(1)));
    address
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// Where its sidecar delivers.
    pub(crate) inbox: SocketAddr,
    pub(crate) running: Arc<gateway::Gateway>,
    pub(crate) metrics: Metrics,
    pub(crate) orders: Recorder,
    pub(crate) payments: Recorder,
    /// What requests are made with unless they say otherwise.
    token: Option<String>,
    http: reqwest::Client,
    _stop: DropGuard,
}

impl Gateway {
    /// In front of two recorders.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// In front of two recorders, with more flags.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        let stop = CancellationToken::new();
        let (orders, payments) = (Recorder::default(), Recorder::default());
        let orders_address = orders.start(&stop).await;
        let payments_address = payments.start(&stop).await;
        let mut gateway = Self::before(orders_address, payments_address, flags, stop).await;
        (gateway.orders, gateway.payments) = (orders, payments);
        gateway
    }

    /// In front of whatever is at two addresses, with more flags. Unless they choose another mode
    /// of authentication, requests are an operator's.
    pub(crate) async fn before(
        orders: SocketAddr,
        payments: SocketAddr,
        flags: &[&str],
        stop: CancellationToken,
    ) -> Self {
        let orders = format!("--orders-url=http://{orders}");
        let payments = format!("--payments-url=http://{payments}");
        let demo = !flags.iter().any(|flag| flag.starts_with("--auth-mode"));
        let mode = demo.then_some("--auth-mode=demo");
        let all = ["gateway", &orders, &payments].into_iter().chain(mode);
        let settings = Settings::try_parse_from(all.chain(flags.iter().copied())).unwrap();
        let metrics = Metrics::new().unwrap();
        let running = Arc::new(gateway::Gateway::new(&settings, &metrics).unwrap());
        let address = serve(running.router(), &stop).await;
        let inbox = serve(running.inbox(), &stop).await;
        let background = Arc::clone(&running);
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move { background.run().await }));
        let mut gateway = Self {
            address,
            inbox,
            running,
            metrics,
            orders: Recorder::default(),
            payments: Recorder::default(),
            token: None,
            http: reqwest::Client::new(),
            _stop: stop.drop_guard(),
        };
        if demo {
            gateway.token = Some(gateway.demo_token(r#"{"operator":true}"#).await);
        }
        gateway
    }

    /// A token that the gateway issues itself.
    pub(crate) async fn demo_token(&self, wanted: &'static str) -> String {
        let request = self.request_as(None, Method::POST, "/auth/demo-token").body(wanted);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// What requests are made with unless they say otherwise.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(self.token.as_deref(), method, path)
    }

    pub(crate) fn request_as(
        &self,
        token: Option<&str>,
        method: Method,
        path: &str,
    ) -> RequestBuilder {
        let request = self.http.request(method, format!("http://{}{path}", self.address));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        Answer::of(self.request_as(Some(token), Method::GET, path)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }
}
