//! What one client is told, one message after the other, however it is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval_at, sleep};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::event::LiveEvent;
use super::hub::{Beginning, LeftOut, News, Subscription};
use crate::identity::Identity;

/// A message for the client.
#[derive(Debug)]
pub(super) enum Frame {
    /// The first one.
    Hello(Utf8Bytes),
    /// Something has happened.
    Event(Arc<LiveEvent>),
    /// Events were left out.
    Resync(Utf8Bytes),
    /// The connection is still there.
    Ping(Utf8Bytes),
    /// The gateway stops; the next connection may go to another. The last one.
    Reconnect(Utf8Bytes),
    /// The token has ended. The last one, and nothing to send.
    Expired,
}

/// The messages for one client.
#[derive(Debug)]
pub(super) struct Feed {
    subscription: Subscription,
    hello: Option<Beginning>,
    heartbeat: Interval,
    expiry: Pin<Box<Sleep>>,
    stop: CancellationToken,
    reconnect_within: Duration,
}

impl Feed {
    pub(super) fn new(
        (subscription, beginning): (Subscription, Beginning),
        identity: &Identity,
        heartbeat: Duration,
        reconnect_within: Duration,
        stop: CancellationToken,
    ) -> Self {
        let left = identity.expires_at.duration_since(Timestamp::now());
        let left = Duration::try_from(left).unwrap_or_default();
        let mut heartbeat = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            subscription,
            hello: Some(beginning),
            heartbeat,
            expiry: Box::pin(sleep(left)),
            stop,
            reconnect_within,
        }
    }

    /// Waits for the next message. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self) -> Frame {
        if let Some(Beginning { resumed, last_event_id }) = self.hello.take() {
            let heartbeat_seconds = self.heartbeat.period().as_secs();
            let hello = json!({
                "type": "hello",
                "resumed": resumed,
                "heartbeat_seconds": heartbeat_seconds,
                "last_event_id": last_event_id,
            });
            return Frame::Hello(hello.to_string().into());
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                let most = u64::try_from(self.reconnect_within.as_millis()).unwrap_or(u64::MAX);
                let after_ms = fastrand::u64(0..=most);
                let hint = json!({"type": "reconnect", "after_ms": after_ms});
                Frame::Reconnect(hint.to_string().into())
            }
            () = &mut self.expiry => Frame::Expired,
            news = self.subscription.next() => match news {
                News::Event(event) => Frame::Event(event),
                News::LeftOut(why) => Frame::Resync(Utf8Bytes::from_static(match why {
                    LeftOut::SlowClient => r#"{"type":"resync","reason":"slow_client"}"#,
                    LeftOut::Gap => r#"{"type":"resync","reason":"gap"}"#,
                })),
            },
            _ = self.heartbeat.tick() => {
                Frame::Ping(Utf8Bytes::from_static(r#"{"type":"ping"}"#))
            }
        }
    }
}
