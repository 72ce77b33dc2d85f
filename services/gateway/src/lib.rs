//! The gateway: the one public door. It knows which paths belong to which
//! service and passes requests on as they are, over connections it keeps.

mod connect;
mod cors;
mod headers;
mod proxy;
mod settings;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use kit::Metrics;
use kit::admin::{self, Readiness};
use kit::layers::Layers;
use kit::process::{self, AdminListener, Error, Listeners};
use kit::server::Listener;

pub use settings::{ProxySettings, Settings};

use proxy::{Proxy, forward};

/// What the gateway adds to the services' time limits, so that its own never
/// comes first.
const SLACK: Duration = Duration::from_secs(5);

/// The public API.
pub fn router(settings: &ProxySettings, metrics: Metrics) -> Router {
    let timeout = |own: Option<Duration>| own.unwrap_or(settings.upstream_timeout);
    let orders_timeout = timeout(settings.orders_timeout);
    let payments_timeout = timeout(settings.payments_timeout);
    let client = proxy::client();
    let orders =
        Proxy::new("orders", client.clone(), &settings.orders_url, orders_timeout, settings);
    let payments =
        Proxy::new("payments", client, &settings.payments_url, payments_timeout, settings);

    let orders = Router::new()
        .route("/orders", get(forward).post(forward))
        .route("/orders/", get(forward).post(forward))
        .route("/orders/{id}", get(forward))
        .route("/orders/user/{user_id}", get(forward))
        .route("/orders/user/{user_id}/", get(forward))
        .with_state(orders);
    let payments = Router::new()
        .route("/users", post(forward))
        .route("/users/", post(forward))
        .route("/users/{user_id}", get(forward).patch(forward))
        .route("/users/{user_id}/", get(forward).patch(forward))
        .route("/users/{user_id}/ledger", get(forward))
        .route("/users/{user_id}/ledger/", get(forward))
        .with_state(payments);
    let routes = Router::new()
        .route("/", get(|| async { "Gateway активен!" }))
        .merge(orders)
        .merge(payments);
    let layers = Layers {
        listener: "public",
        metrics,
        timeout: orders_timeout.max(payments_timeout) + SLACK,
        max_body_bytes: settings.max_body_bytes,
    };
    layers.around(routes).layer(cors::layer(&settings.cors_allowed_origins))
}

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
///
/// A setting is not usable or a listener cannot be bound.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let Settings { listen, admin_listen, shutdown_grace, proxy, telemetry: _ } = settings;
    let stop = process::stop_on_signals()?;
    let metrics = Metrics::new()?;
    let readiness = Readiness::starting(None);
    let admin = admin::router(readiness.clone(), metrics.clone());
    let admin = AdminListener::start(Listener::bind("admin", admin_listen, admin).await?);
    let public = Listener::bind("public", listen, router(&proxy, metrics)).await?;
    let listeners = Listeners { serving: vec![public], admin, readiness, grace: shutdown_grace };
    listeners.serve(stop).await;
    Ok(())
}
