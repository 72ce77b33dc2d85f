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
    pub(crate) orders: Recorder,
    pub(crate) payments: Recorder,
    http: reqwest::Client,
    _stop: DropGuard,
}

impl Gateway {
    /// In front of two recorders.
    pub(crate) async fn start() -> Self {
        let stop = CancellationToken::new();
        let (orders, payments) = (Recorder::default(), Recorder::default());
        let orders_address = orders.start(&stop).await;
        let payments_address = payments.start(&stop).await;
        let mut gateway = Self::before(orders_address, payments_address, &[], stop).await;
        (gateway.orders, gateway.payments) = (orders, payments);
        gateway
    }

    /// In front of whatever is at two addresses, with more flags.
    pub(crate) async fn before(
        orders: SocketAddr,
        payments: SocketAddr,
        flags: &[&str],
        stop: CancellationToken,
    ) -> Self {
        let orders = format!("--orders-url=http://{orders}");
        let payments = format!("--payments-url=http://{payments}");
        let all = ["gateway", &orders, &payments].into_iter().chain(flags.iter().copied());
        let settings = Settings::try_parse_from(all).unwrap();
        let router = gateway::router(&settings.proxy, Metrics::new().unwrap());
        Self {
            address: serve(router, &stop).await,
            orders: Recorder::default(),
            payments: Recorder::default(),
            http: reqwest::Client::new(),
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }
}
