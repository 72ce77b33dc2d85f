//! Live updates: what happens to orders and accounts, told to those whose they
//! are as it happens.
//!
//! The gateway's own sidecar delivers events to `POST /inbox` of every replica;
//! the hub passes them to the clients that listen there.

mod document;
mod event;
mod feed;
mod hub;
mod metrics;
mod settings;
mod socket;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use kit::inbox::{self, Event, Listener};
use kit::{Metrics, Problem};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use document::LiveMessage;
pub use settings::LiveSettings;

use crate::identity::{Entrance, Identity, Refusal};
use crate::refusals::Reason;
use feed::Feed;
use hub::{Full, Hub};
use metrics::LiveMetrics;
use socket::{Handshake, Limits, Offer};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Those who listen, and what they are told.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    hub: Arc<Hub>,
    settings: Arc<LiveSettings>,
    /// Pages of these may connect, and those of the gateway's own host.
    origins: Arc<[HeaderValue]>,
    entrance: Entrance,
    connections: TaskTracker,
    stop: CancellationToken,
}

/// Passes the events that the sidecar delivers to the hub.
#[derive(Clone, Debug)]
pub(crate) struct Ear(Arc<Hub>);

impl Listener for Ear {
    fn hear(&self, event: &Event) -> Result<(), inbox::Refusal> {
        self.0.heard(&event.source, event.gap);
        if let Some(event) = event::told(event)? {
            self.0.publish(event);
        }
        Ok(())
    }
}

/// Where to go on.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Resume {
    /// The last event that was seen; what came after it follows.
    last_event_id: Option<String>,
}

impl Live {
    pub(crate) fn new(
        settings: &LiveSettings,
        origins: &[HeaderValue],
        entrance: Entrance,
        metrics: &Metrics,
    ) -> Result<Self, kit::process::Error> {
        settings.check()?;
        let hub = Arc::new(Hub::new(settings, LiveMetrics::new(metrics)?));
        Ok(Self {
            hub,
            settings: Arc::new(settings.clone()),
            origins: origins.into(),
            entrance,
            connections: TaskTracker::new(),
            stop: CancellationToken::new(),
        })
    }

    /// What hears the events.
    pub(crate) fn ear(&self) -> Ear {
        Ear(Arc::clone(&self.hub))
    }

    /// `GET /ws`, which brings its token in its own way.
    pub(crate) fn socket_routes(&self) -> Router {
        Router::new().route("/ws", get(websocket)).with_state(self.clone())
    }

    /// `GET /events`, to be put behind what asks for a token.
    pub(crate) fn stream_routes(&self) -> Router {
        Router::new().route("/events", get(events)).with_state(self.clone())
    }

    /// Tells everyone to come back later, and waits until all have gone.
    pub(crate) async fn drain(&self) {
        self.stop.cancel();
        self.connections.close();
        self.connections.wait().await;
    }

    fn feed(&self, identity: &Identity, after: Option<&str>) -> Result<Feed, Problem> {
        let subscribed = self.hub.subscribe(identity, after).map_err(|full| {
            self.entrance.refusals.count(Reason::ConnectionLimit);
            Problem::from(full)
        })?;
        let LiveSettings { live_heartbeat, live_reconnect_within, .. } = *self.settings;
        let stop = self.stop.clone();
        Ok(Feed::new(subscribed, identity, live_heartbeat, live_reconnect_within, stop))
    }

    /// Whether a page may connect. Without an `Origin` it is no page.
    fn allows_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.origins.contains(origin)
            || authority.zip(host).is_some_and(|((_, authority), host)| authority == host)
    }
}

/// Why a WebSocket does not come about.
pub(crate) enum NoSocket {
    Refused(Refusal),
    Problem(Problem),
}

impl IntoResponse for NoSocket {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl From<Problem> for NoSocket {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// Listens over a WebSocket, by the subprotocols `shop.v1` and `bearer.` with the token behind it.
///
/// Messages are text frames. It is closed with 1008 when the token ends or the client is silent
/// for two heartbeats, 1007 or 1003 when it sends anything but `{"type":"pong"}`, 1009 when that is
/// longer than 4 KiB, and 1012 when the gateway stops.
#[utoipa::path(
    get, path = "/ws", operation_id = "listenByWebSocket", tag = "live", params(Resume),
    responses(
        (status = 101, description = "The connection; its text frames are of the kind `LiveMessage`."),
        (status = 426, description = "The request asks for no WebSocket.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn websocket(
    State(live): State<Live>,
    Query(resume): Query<Resume>,
    mut request: Request,
) -> Result<Response, NoSocket> {
    let handshake = Handshake::of(&mut request)?;
    if !live.allows_origin(request.headers()) {
        live.entrance.refusals.count(Reason::Forbidden);
        let detail = "pages of this origin may not connect; see --cors-allowed-origins";
        return Err(Problem::new(StatusCode::FORBIDDEN, detail).coded("forbidden").into());
    }
    let offer = Offer::of(request.headers());
    let admitted = live.entrance.admit(request.headers(), offer.token.as_deref()).await;
    let identity = admitted.map_err(NoSocket::Refused)?;
    let feed = live.feed(&identity, resume.last_event_id.as_deref())?;
    let limits =
        Limits { send: live.settings.live_send_timeout, silence: live.settings.live_heartbeat * 2 };
    let (response, connection) = handshake.accept(&offer, feed, limits);
    live.connections.spawn(connection);
    Ok(response)
}

/// Listens by server-sent events.
#[utoipa::path(
    get, path = "/events", operation_id = "listenByEvents", tag = "live",
    params(
        Resume,
        ("Last-Event-ID" = Option<String>, Header, description = "The same; it comes first."),
    ),
    responses((
        status = 200, description = "A stream without an end; see `LiveMessage`.", body = String,
        content_type = "text/event-stream",
    )),
)]
pub(crate) async fn events(
    State(live): State<Live>,
    axum::Extension(identity): axum::Extension<Identity>,
    Query(resume): Query<Resume>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let header = headers.get(&LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let feed = live.feed(&identity, header.or(resume.last_event_id.as_deref()))?;
    Ok(stream::stream(feed, live.connections.token()))
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        let problem = match full {
            Full::Gateway => Self::unavailable(full.to_string()),
            Full::Identity => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, full.to_string()).coded("rate_limited")
            }
        };
        problem.retry_after(5)
    }
}
