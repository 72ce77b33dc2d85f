//! The proxy's faults, as a client sees them.

#![expect(clippy::unwrap_used, reason = "the helper functions are as much a test as the tests")]

use std::io::ErrorKind;
use std::time::Duration;

use test_support::proxy::Proxy;
use test_support::{ports, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(10);

/// A server that sends back what it gets.
async fn echo() -> u16 {
    let port = ports::free().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    port
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap()
}

async fn echoes(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4];
    stream.write_all(b"ping").await.is_ok()
        && timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap().is_ok()
}

#[tokio::test]
async fn cuts_open_connections_and_passes_new_ones() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = connect(&proxy).await;
    assert!(echoes(&mut stream).await);
    proxy.cut();
    assert!(!echoes(&mut stream).await);
    assert!(echoes(&mut connect(&proxy).await).await);
}

#[tokio::test]
async fn refuses_until_restored() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    proxy.refuse();
    wait::until("connections are refused", DEADLINE, || async {
        let refused = TcpStream::connect(("127.0.0.1", proxy.port())).await.err()?;
        (refused.kind() == ErrorKind::ConnectionRefused).then_some(())
    })
    .await;
    proxy.restore();
    let mut stream = wait::until("connections pass", DEADLINE, || async {
        TcpStream::connect(("127.0.0.1", proxy.port())).await.ok()
    })
    .await;
    assert!(echoes(&mut stream).await);
}

#[tokio::test]
async fn stalls_without_closing_and_delivers_later() {
    let proxy = Proxy::start(echo().await).await.unwrap();
    let mut stream = connect(&proxy).await;
    assert!(echoes(&mut stream).await);
    proxy.stall();
    stream.write_all(b"late").await.unwrap();
    let mut answer = [0; 4];
    // Silence is the effect under test, so this one does wait its time out.
    assert!(timeout(Duration::from_millis(200), stream.read_exact(&mut answer)).await.is_err());
    proxy.restore();
    timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"late");
}
