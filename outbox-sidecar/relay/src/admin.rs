//! The admin port: health, metrics, status, the wake-up poke, and dead letters.

pub mod access;
mod dead_letters;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use outbox_sidecar_core::status::Report;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use dead_letters::CurrentDeadLetters;

use crate::{metrics::Metrics, outbox::wake::Wake, status::Status};

/// What the endpoints show and poke.
#[derive(Clone)]
pub struct Admin {
    /// The metrics.
    pub metrics: Metrics,
    /// The state.
    pub status: Status,
    /// The outboxes.
    pub wakes: Wakes,
    /// What was given up.
    pub dead_letters: CurrentDeadLetters,
    /// What opens them to others than loopback.
    pub token: access::CurrentToken,
}

/// Pokes every outbox there is at the time; clones share it.
#[derive(Clone, Default)]
pub struct Wakes(Arc<Mutex<Vec<Wake>>>);

impl Wakes {
    /// Pokes these from now on.
    pub fn replace(&self, wakes: Vec<Wake>) {
        // A list left by a panicking thread is still good.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wakes;
    }

    fn poke(&self) {
        for wake in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            wake.poke();
        }
    }
}

/// Binds the admin port.
///
/// # Errors
/// The address is in use or not ours.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context as _;
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} (admin.listen); is another sidecar running?")
    })
}

/// Serves until told to stop.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        // Ready when it serves: a broker's outage must not take the pod, and
        // with it the shop, out of its Service.
        .route("/readyz", get(|| async { "ready" }))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/wake", post(wake))
        .merge(dead_letters::routes(&admin))
        .with_state(admin)
        .into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn status(State(admin): State<Admin>) -> Json<Report> {
    Json(admin.status.report())
}

async fn wake(State(admin): State<Admin>) -> StatusCode {
    admin.wakes.poke();
    StatusCode::NO_CONTENT
}
