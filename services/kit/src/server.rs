//! HTTP listeners that finish what is in flight before they stop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

/// How long a connection may take to send a request's head, the wait between
/// two requests included. Clients that keep connections should drop idle ones
/// earlier.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The pause after a connection could not be accepted, most likely for lack
/// of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener and what it answers with.
#[derive(Debug)]
pub struct Listener {
    name: &'static str,
    socket: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Listener {
    /// Binds a listener.
    ///
    /// # Errors
    ///
    /// The address cannot be bound.
    pub async fn bind(name: &'static str, address: SocketAddr, router: Router) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await.map_err(|err| {
            io::Error::new(err.kind(), format!("{name} listener on {address}: {err}"))
        })?;
        let address = socket.local_addr()?;
        tracing::info!(listener = name, %address, "listening");
        Ok(Self { name, socket, address, router })
    }

    /// The address that was bound.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop`; then accepts no more connections,
    /// finishes the requests in flight, and cuts those that take longer than
    /// `grace`.
    pub async fn serve(self, stop: CancellationToken, grace: Duration) {
        let connections = Connections::default();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => answer(stream, peer, self.router.clone(), &connections),
                    Err(err) => {
                        tracing::warn!(listener = self.name, error = %err, "connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.socket);
        if tokio::time::timeout(grace, connections.finish()).await.is_err() {
            tracing::warn!(listener = self.name, ?grace, "requests still in flight were cut");
        }
        tracing::info!(listener = self.name, "stopped listening");
    }
}

/// The connections of a listener, which end together.
#[derive(Default)]
struct Connections {
    tasks: TaskTracker,
    finishing: CancellationToken,
}

impl Connections {
    /// Lets each finish the request in flight, and waits for them.
    async fn finish(&self) {
        self.finishing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn answer(stream: TcpStream, peer: SocketAddr, router: Router, connections: &Connections) {
    // Without it, small answers wait for the client's delayed acknowledgement.
    if let Err(err) = stream.set_nodelay(true) {
        tracing::debug!(error = %err, "nodelay could not be set");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        // What became a WebSocket lives on, and is its handler's to end.
        .with_upgrades();
    let finishing = connections.finishing.clone();
    connections.tasks.spawn(async move {
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = finishing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(err) = ended {
            tracing::debug!(%peer, error = %err, "connection ended with an error");
        }
    });
}
