//! What clients are told, for the description of the API.

use jiff::Timestamp;
use utoipa::ToSchema;
use uuid::Uuid;

/// A message to a live client: a text frame of the WebSocket, or the `data` of a
/// server-sent event, whose `event` is its `type` and whose `id` is its `id`.
#[derive(ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "what is sent is written by feed.rs and event.rs, and tested against this"
)]
pub(crate) enum LiveMessage {
    /// The first one.
    Hello {
        /// Whether everything since the event that was asked for follows. If it was asked
        /// for and is false, fetch everything anew.
        resumed: bool,
        /// How often a `ping` comes; silence for longer than two such times is a lost connection.
        heartbeat_seconds: u64,
        /// The latest event before this connection.
        #[schema(required)]
        last_event_id: Option<Uuid>,
    },
    /// An order has a new status, and a request for it shows that.
    Order {
        /// The event, to resume behind.
        id: Uuid,
        /// The order.
        order_id: Uuid,
        /// Whose it is.
        user_id: i64,
        /// `NEW`, `FINISHED` or `CANCELLED`.
        status: String,
        /// Why it was cancelled.
        #[schema(required)]
        reason: Option<String>,
        /// What it costs, as text, as the numbers of JavaScript are not exact.
        amount: String,
        /// When it happened.
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
    },
    /// A balance, and its ledger, has changed.
    Account {
        /// The event, to resume behind.
        id: Uuid,
        /// Whose it is.
        user_id: i64,
        /// When it happened.
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
    },
    /// The connection is still there; a WebSocket answers `{"type":"pong"}`.
    Ping,
    /// Events were left out: fetch everything anew.
    Resync {
        /// `slow_client` or `gap`.
        reason: String,
    },
    /// The gateway stops; the connection ends.
    Reconnect {
        /// When to come back, in milliseconds.
        after_ms: u64,
    },
}
