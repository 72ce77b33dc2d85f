//! What a browser is told over its WebSocket.

use anyhow::Context as _;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async, tungstenite::client::IntoClientRequest as _,
};

/// A live connection to a gateway.
#[derive(Debug)]
pub struct Listener(WebSocketStream<TcpStream>);

impl Listener {
    /// Connects to the gateway at `http://host:port`, and waits until it says hello: what happens
    /// from then on is told.
    ///
    /// # Errors
    /// The gateway refuses, or is away.
    pub async fn connect(gateway: &str, token: &str) -> anyhow::Result<Self> {
        let address = gateway.strip_prefix("http://").context("a gateway that is not http://")?;
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        let protocols = format!("shop.v1, bearer.{token}").parse()?;
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        let stream = TcpStream::connect(address).await.context("connecting to the gateway")?;
        stream.set_nodelay(true)?;
        let (stream, _) = client_async(request, stream).await.context("opening the WebSocket")?;
        let mut listener = Self(stream);
        let hello = listener.told().await?;
        anyhow::ensure!(hello["type"] == "hello", "the gateway began with {hello}");
        Ok(listener)
    }

    /// The next message that is no heartbeat; waits for it as long as it takes, and may be given
    /// up. Heartbeats of the protocol are only answered while this is waited for.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn told(&mut self) -> anyhow::Result<Value> {
        loop {
            let message = self.0.next().await.context("the gateway has hung up")??;
            if !message.is_text() {
                continue;
            }
            let message: Value = serde_json::from_str(message.to_text()?)?;
            if message["type"] != "ping" {
                return Ok(message);
            }
        }
    }

    /// Waits until an order is told to have this status.
    ///
    /// # Errors
    /// As [`told`](Self::told).
    pub async fn told_of(&mut self, order: &str, status: &str) -> anyhow::Result<()> {
        loop {
            let event = self.told().await?;
            if event["type"] == "order" && event["order_id"] == order && event["status"] == status {
                return Ok(());
            }
        }
    }
}
