//! A TCP proxy that fails on demand.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::error::{IoContext, Result};
use crate::ports;

/// Passes connections on to a port of this machine, until it is told to misbehave.
///
/// Runs on the tokio runtime that started it, and ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: watch::Sender<State>,
    accepting: AbortHandle,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// Connections end when this changes.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Stall,
    Refuse,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes everything to 127.0.0.1:`upstream`, which
    /// need not exist yet.
    pub async fn start(upstream: u16) -> Result<Self> {
        let port = ports::free()?;
        let (state, watched) = watch::channel(State { mode: Mode::Pass, generation: 0 });
        let listener = listen(port).await.context(|| format!("listen on port {port}"))?;
        let accepting = tokio::spawn(accept(listener, port, upstream, watched)).abort_handle();
        Ok(Self { port, state, accepting })
    }

    /// The port to connect to instead of the real one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Closes every connection; new ones pass.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Closes every connection and refuses new ones, until [`restore`](Self::restore).
    pub fn refuse(&self) {
        self.state.send_modify(|state| {
            state.mode = Mode::Refuse;
            state.generation += 1;
        });
    }

    /// Holds every byte back, in open connections and new ones, until [`restore`](Self::restore):
    /// what a peer sees when the network swallows its packets.
    pub fn stall(&self) {
        self.state.send_modify(|state| state.mode = Mode::Stall);
    }

    /// Passes again; bytes held back are delivered.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.mode = Mode::Pass);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
        self.accepting.abort();
    }
}

/// Binds again a port that may still be closing.
async fn listen(port: u16) -> io::Result<TcpListener> {
    let mut attempts = 0;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(err) if err.kind() == io::ErrorKind::AddrInUse && attempts < 100 => {
                attempts += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            bound => return bound,
        }
    }
}

async fn accept(
    mut listener: TcpListener,
    port: u16,
    upstream: u16,
    mut state: watch::Receiver<State>,
) {
    loop {
        if state.borrow_and_update().mode == Mode::Refuse {
            // Without a listener the system itself refuses.
            drop(listener);
            if state.wait_for(|state| state.mode != Mode::Refuse).await.is_err() {
                return;
            }
            match listen(port).await {
                Ok(bound) => listener = bound,
                Err(_) => return,
            }
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(connection(client, upstream, state.clone()));
            },
        }
    }
}

async fn connection(client: TcpStream, upstream: u16, mut state: watch::Receiver<State>) {
    let generation = state.borrow().generation;
    let gate = state.clone();
    let relay = async {
        // Each direction ends on its own, as half-closed connections do.
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, upstream)).await?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        tokio::try_join!(
            pump(client_in, server_out, gate.clone()),
            pump(server_in, client_out, gate)
        )
    };
    tokio::select! {
        _ = relay => {}
        _ = state.wait_for(|state| state.generation != generation) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut gate: watch::Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        gate.wait_for(|state| state.mode != Mode::Stall).await.map_err(io::Error::other)?;
        match buffer.get(..read) {
            Some(bytes) if !bytes.is_empty() => to.write_all(bytes).await?,
            _ => return to.shutdown().await,
        }
    }
}
