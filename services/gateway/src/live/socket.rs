//! Live updates over WebSocket.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use kit::Problem;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::feed::{Feed, Frame};

/// The protocol spoken.
const PROTOCOL: &str = "shop.v1";
/// Precedes the token among the protocols that a page offers, as it can set no
/// headers.
const TOKEN_PREFIX: &str = "bearer.";

/// Clients have nothing long to say.
const MAX_MESSAGE: usize = 4 * 1024;
/// Idle connections shall take little memory.
const BUFFER: usize = 1024;
/// Messages from a client between two heartbeats at most.
const MAX_CHATTER: u32 = 30;
/// How long the other end may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// What a client offers beside `Upgrade: websocket`.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Offer {
    pub(super) token: Option<String>,
    /// It offers the protocol, and expects it to be chosen.
    pub(super) protocol: bool,
}

impl Offer {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let offered: Vec<&str> = headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let token = offered.iter().find_map(|name| name.strip_prefix(TOKEN_PREFIX));
        Self { token: token.map(ToOwned::to_owned), protocol: offered.contains(&PROTOCOL) }
    }
}

/// A request that can become a WebSocket.
pub(super) struct Handshake {
    upgrade: OnUpgrade,
    accept: HeaderValue,
}

impl Handshake {
    /// # Errors
    ///
    /// The request is none.
    pub(super) fn of(request: &mut Request) -> Result<Self, Problem> {
        let headers = request.headers();
        let has =
            |name, wanted: &str| {
                headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
                    value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted))
                })
            };
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
        let asked = *request.method() == Method::GET
            && has(header::CONNECTION, "upgrade")
            && has(header::UPGRADE, "websocket");
        let (true, Some(key)) = (asked, key) else {
            return Err(needs_upgrade(
                "this is a WebSocket: connect to it as such, or use /events",
            ));
        };
        if !has(header::SEC_WEBSOCKET_VERSION, "13") {
            return Err(needs_upgrade("only version 13 of the WebSocket protocol is spoken here"));
        }
        let accept = HeaderValue::from_str(&derive_accept_key(key)).map_err(Problem::internal)?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or_else(|| needs_upgrade("this connection cannot be upgraded"))?;
        Ok(Self { upgrade, accept })
    }

    /// The answer; the connection then lives in a task of its own, whose future
    /// is returned too.
    pub(super) fn accept(
        self,
        offer: &Offer,
        feed: Feed,
        limits: Limits,
    ) -> (Response, impl Future<Output = ()> + Send + 'static) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if offer.protocol {
            let protocol = HeaderValue::from_static(PROTOCOL);
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let upgrade = self.upgrade;
        let connection = async move {
            match upgrade.await {
                Ok(upgraded) => Connection::new(upgraded, feed, limits).await.run().await,
                Err(err) => tracing::debug!(error = %err, "a WebSocket did not come about"),
            }
        };
        (response, connection)
    }
}

fn needs_upgrade(detail: &str) -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, detail)
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// To take one message in.
    pub(super) send: Duration,
    /// To say anything at all.
    pub(super) silence: Duration,
}

struct Connection {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    feed: Feed,
    limits: Limits,
    /// Messages since the last heartbeat.
    chatter: u32,
    heard: tokio::time::Instant,
}

/// Why a connection ends.
enum End {
    /// With a reason for the other end.
    Say(CloseCode, &'static str),
    /// It is gone.
    Gone,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Said {
    Pong,
}

impl Connection {
    async fn new(upgraded: Upgraded, feed: Feed, limits: Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(256 * 1024)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let io = TokioIo::new(upgraded);
        let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Self { socket, feed, limits, chatter: 0, heard: tokio::time::Instant::now() }
    }

    async fn run(mut self) {
        let end = loop {
            let end = tokio::select! {
                frame = self.feed.next() => self.tell(frame).await,
                said = self.socket.next() => self.hear(said),
            };
            if let Some(end) = end {
                break end;
            }
        };
        if let End::Say(code, reason) = end {
            let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
            let goodbye = async {
                let _ = self.socket.close(Some(frame)).await;
                // Until the other end has said the same.
                while let Some(Ok(_)) = self.socket.next().await {}
            };
            let _ = timeout(GOODBYE, goodbye).await;
        }
    }

    async fn tell(&mut self, frame: Frame) -> Option<End> {
        let end = match &frame {
            Frame::Ping(_) if self.heard.elapsed() > self.limits.silence => {
                return Some(End::Say(CloseCode::Policy, "nothing was heard for too long"));
            }
            Frame::Ping(_) => {
                self.chatter = 0;
                None
            }
            Frame::Expired => return Some(End::Say(CloseCode::Policy, "the token has expired")),
            Frame::Reconnect(_) => Some(End::Say(CloseCode::Restart, "the gateway stops")),
            _ => None,
        };
        let text = match frame {
            Frame::Event(event) => event.json.clone(),
            Frame::Hello(text)
            | Frame::Resync(text)
            | Frame::Ping(text)
            | Frame::Reconnect(text) => text,
            Frame::Expired => return end,
        };
        match timeout(self.limits.send, self.socket.send(Message::Text(text))).await {
            Ok(Ok(())) => end,
            // Nothing more would reach it.
            Ok(Err(_)) | Err(_) => Some(End::Gone),
        }
    }

    fn hear(&mut self, said: Option<Result<Message, Error>>) -> Option<End> {
        let message = match said {
            None | Some(Ok(Message::Close(_))) => return Some(End::Gone),
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                return Some(End::Say(CloseCode::Size, "the message is too long"));
            }
            Some(Err(Error::Utf8(_))) => {
                return Some(End::Say(CloseCode::Invalid, "the message is not UTF-8"));
            }
            Some(Err(Error::Protocol(_))) => {
                return Some(End::Say(CloseCode::Protocol, "this is not the WebSocket protocol"));
            }
            Some(Err(_)) => return Some(End::Gone),
            Some(Ok(message)) => message,
        };
        self.heard = tokio::time::Instant::now();
        self.chatter += 1;
        if self.chatter > MAX_CHATTER {
            return Some(End::Say(CloseCode::Policy, "too many messages"));
        }
        match message {
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Said::Pong) => None,
                Err(_) => Some(End::Say(CloseCode::Invalid, "the only message to send is pong")),
            },
            Message::Binary(_) => Some(End::Say(CloseCode::Unsupported, "messages are JSON texts")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_among_the_protocols() {
        let offer = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(text));
            Offer::of(&headers)
        };
        let token = |token: &str| Some(token.to_owned());
        assert_eq!(offer("shop.v1, bearer.a.b.c"), Offer { token: token("a.b.c"), protocol: true });
        assert_eq!(offer("bearer.a"), Offer { token: token("a"), protocol: false });
        assert_eq!(offer("shop.v2"), Offer { token: None, protocol: false });
    }
}
