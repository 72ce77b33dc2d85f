//! Live updates as server-sent events, for what has no WebSocket.

use std::convert::Infallible;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::feed::{Feed, Frame};

/// The stream; `alive` is held while it goes on.
pub(super) fn stream(feed: Feed, alive: TaskTrackerToken) -> Response {
    let events = unfold(Some((feed, alive)), |state| async move {
        let (mut feed, alive) = state?;
        let frame = feed.next().await;
        let last = matches!(frame, Frame::Reconnect(_));
        let event = event(frame)?;
        Some((Ok::<_, Infallible>(event), (!last).then_some((feed, alive))))
    });
    // Proxies shall pass it on as it comes.
    ([("x-accel-buffering", "no")], Sse::new(events)).into_response()
}

fn event(frame: Frame) -> Option<Event> {
    let named = |name, text: &str| Some(Event::default().event(name).data(text));
    match frame {
        Frame::Hello(text) => named("hello", &text),
        Frame::Event(event) => {
            let named = Event::default().event(event.kind.name()).id(event.id.to_string());
            Some(named.data(event.json.as_str()))
        }
        Frame::Resync(text) => named("resync", &text),
        Frame::Ping(text) => named("ping", &text),
        Frame::Reconnect(text) => named("reconnect", &text),
        Frame::Expired => None,
    }
}
