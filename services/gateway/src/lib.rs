//! The gateway: the one public door. It knows which paths belong to which
//! service and passes requests on as they are, over connections it keeps.

mod connect;
mod cors;
pub mod documentation;
mod headers;
mod identity;
mod identity_routes;
mod live;
mod ownership;
mod pipeline;
mod proxy;
mod rate_limit;
mod refusals;
mod settings;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use kit::Metrics;
use kit::admin::{self, Readiness};
use kit::layers::Layers;
use kit::process::{self, AdminListener, Error, Listeners};
use kit::server::Listener;

pub use identity::{AuthMode, AuthSettings, Authenticator};
pub use live::LiveSettings;
pub use pipeline::PipelineSettings;
pub use rate_limit::RateLimitSettings;
pub use settings::{ProxySettings, Settings};

use identity::Entrance;
use live::Live;
use pipeline::Pipeline;
use proxy::Proxy;
use rate_limit::RateLimits;
use refusals::Refusals;

/// What the gateway adds to the services' time limits, so that its own never
/// comes first.
const SLACK: Duration = Duration::from_secs(5);

/// An event is passed on without waiting for anything.
const INBOX_TIMEOUT: Duration = Duration::from_secs(10);

/// The gateway, set up but not serving yet.
#[derive(Debug)]
pub struct Gateway {
    router: Router,
    inbox: Router,
    authenticator: Arc<Authenticator>,
    limits: Arc<RateLimits>,
    live: Live,
}

impl Gateway {
    /// As the settings say.
    ///
    /// # Errors
    ///
    /// A setting is not usable, or metrics of the same names are there.
    pub fn new(settings: &Settings, metrics: &Metrics) -> Result<Self, Error> {
        let authenticator = Arc::new(Authenticator::new(&settings.auth)?);
        let trust_forwarded = settings.proxy.trust_forwarded;
        let limits = Arc::new(RateLimits::new(&settings.rate_limits, trust_forwarded)?);
        let entrance = Entrance {
            authenticator: Arc::clone(&authenticator),
            limits: Arc::clone(&limits),
            refusals: Refusals::new(metrics)?,
        };
        let origins = &settings.proxy.cors_allowed_origins;
        let live = Live::new(&settings.live, origins, entrance.clone(), metrics)?;
        let router = router(settings, entrance, &live, metrics.clone())?;
        let layers = Layers {
            listener: "inbox",
            metrics: metrics.clone(),
            timeout: INBOX_TIMEOUT,
            max_body_bytes: settings.proxy.max_body_bytes,
        };
        let inbox = layers.around(kit::inbox::listener_router(live.ear(), metrics.clone()));
        Ok(Self { router, inbox, authenticator, limits, live })
    }

    /// The public API.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Where the gateway's sidecar delivers events; no one else should reach it.
    pub fn inbox(&self) -> Router {
        self.inbox.clone()
    }

    /// Tells live connections to come back elsewhere, and waits for them to go.
    pub async fn drain(&self) {
        self.live.drain().await;
    }

    /// Does what has to be done from time to time, for ever.
    pub async fn run(&self) {
        tokio::join!(self.authenticator.run(), self.limits.forget_idle());
    }
}

fn router(
    all: &Settings,
    entrance: Entrance,
    live: &Live,
    metrics: Metrics,
) -> Result<Router, Error> {
    let settings = &all.proxy;
    let cors = cors::layer(&settings.cors_allowed_origins)?;
    let timeout = |own: Option<Duration>| own.unwrap_or(settings.upstream_timeout);
    let orders_timeout = timeout(settings.orders_timeout);
    let payments_timeout = timeout(settings.payments_timeout);
    let client = proxy::client();
    let orders =
        Proxy::new("orders", client.clone(), &settings.orders_url, orders_timeout, settings);
    let payments =
        Proxy::new("payments", client, &settings.payments_url, payments_timeout, settings);

    let both = timeline::Services { orders: orders.clone(), payments: payments.clone() };
    let timeline =
        Router::new().route("/orders/{id}/timeline", get(timeline::timeline)).with_state(both);
    let orders = Router::new()
        .route("/orders", get(ownership::all_orders).post(ownership::in_body))
        .route("/orders/", get(ownership::all_orders).post(ownership::in_body))
        .route("/orders/{id}", get(ownership::order))
        .route("/orders/user/{user_id}", get(ownership::of_user))
        .route("/orders/user/{user_id}/", get(ownership::of_user))
        .with_state(orders);
    let payments = Router::new()
        .route("/users", post(ownership::in_body))
        .route("/users/", post(ownership::in_body))
        .route("/users/{user_id}", get(ownership::of_user).patch(ownership::of_user))
        .route("/users/{user_id}/", get(ownership::of_user).patch(ownership::of_user))
        .route("/users/{user_id}/ledger", get(ownership::of_user))
        .route("/users/{user_id}/ledger/", get(ownership::of_user))
        .with_state(payments);
    let known = Router::new()
        .route("/auth/me", get(identity_routes::me))
        .merge(orders)
        .merge(payments)
        .merge(timeline)
        .merge(live.stream_routes())
        .merge(pipeline::routes(Pipeline::new(&all.pipeline)?))
        .route_layer(from_fn_with_state(entrance.clone(), identity::require));
    let routes = Router::new()
        .route("/", get(|| async { "Gateway активен!" }))
        .merge(documentation::routes())
        .merge(identity_routes::open(entrance.authenticator, &all.auth))
        .merge(live.socket_routes())
        .merge(known)
        .layer(from_fn_with_state((entrance.limits, entrance.refusals), rate_limit::per_address));
    let layers = Layers {
        listener: "public",
        metrics,
        timeout: orders_timeout.max(payments_timeout) + SLACK,
        max_body_bytes: settings.max_body_bytes,
    };
    Ok(layers.around(routes).layer(map_response(secure)).layer(cors))
}

/// The gateway answers data, not pages: a browser that shows an answer as one
/// shall load, run and frame nothing.
async fn secure(mut response: Response) -> Response {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        // The description's page says itself what it needs.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Almost every answer is somebody's own.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
///
/// A setting is not usable or a listener cannot be bound.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let stop = process::stop_on_signals()?;
    let metrics = Metrics::new()?;
    let gateway = Gateway::new(&settings, &metrics)?;
    let readiness = Readiness::starting(None);
    let admin = admin::router(readiness.clone(), metrics);
    let admin = AdminListener::start(Listener::bind("admin", settings.admin_listen, admin).await?);
    let public = Listener::bind("public", settings.listen, gateway.router()).await?;
    let inbox = Listener::bind("inbox", settings.live.inbox_listen, gateway.inbox()).await?;
    let grace = settings.shutdown_grace;
    let listeners = Listeners { serving: vec![public, inbox], admin, readiness, grace };
    let stopped = async {
        stop.cancelled().await;
        if tokio::time::timeout(grace, gateway.drain()).await.is_err() {
            tracing::warn!(?grace, "live connections were cut");
        }
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(listeners.serve(stop.clone()), stopped) } => {}
        () = gateway.run() => {}
    }
    Ok(())
}
