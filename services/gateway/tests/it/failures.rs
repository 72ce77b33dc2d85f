//! What becomes of requests when a service does not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::Method;
use bytes::Bytes;
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::harness::{Gateway, serve};
use test_support::answer::Answer;

fn nobody() -> SocketAddr {
    // Bound and closed again, so that connecting is refused.
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_service_that_is_not_there_is_a_503() {
    let gateway = Gateway::before(nobody(), nobody(), &[], CancellationToken::new()).await;
    for path in ["/orders", "/users/1"] {
        let answer = gateway.get(path).await;
        let problem = answer.assert_problem(503, "");
        assert_eq!(problem["error"], "Service Unavailable");
        assert_eq!(problem["code"], 503);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // One service's absence is no one else's.
    assert_eq!(gateway.get("/").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_service_that_takes_too_long_is_a_504() {
    let stop = CancellationToken::new();
    let silent = Router::new().fallback(std::future::pending::<()>);
    let silent = serve(silent, &stop).await;
    let gateway = Gateway::before(silent, nobody(), &["--orders-timeout=50ms"], stop).await;
    let problem = gateway.get("/orders").await.assert_problem(504, "");
    assert_eq!(problem["error"], "Gateway Timeout");
    assert_eq!(problem["code"], 504);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_a_length() {
    let stop = CancellationToken::new();
    let sink = Router::new().fallback(|body: Bytes| async move { body.len().to_string() });
    let sink = serve(sink, &stop).await;
    let gateway = Gateway::before(sink, nobody(), &["--max-body-bytes=1000"], stop).await;
    let post = |size: usize| gateway.request(Method::POST, "/orders").body(vec![b' '; size]);
    assert_eq!(Answer::of(post(1000)).await.text, "1000");
    Answer::of(post(1001)).await.assert_problem(413, "");

    let chunks =
        stream::iter((0..11).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 100]))));
    let chunked = reqwest::Body::wrap_stream(chunks);
    let request = gateway.request(Method::POST, "/orders").body(chunked);
    Answer::of(request).await.assert_problem(413, "");
}

#[tokio::test]
async fn a_connection_outlives_a_body_that_was_refused() {
    let stop = CancellationToken::new();
    let service = serve(Router::new().fallback(|| async { "ok" }), &stop).await;
    let gateway = Gateway::before(service, nobody(), &["--max-body-bytes=1000"], stop).await;
    let mut stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();

    // The answer comes while most of the body is still to be sent.
    let head = format!("HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {}\r\n", gateway.token());
    let post = format!("POST /orders {head}content-length: 300000\r\n\r\n{{");
    stream.write_all(post.as_bytes()).await.unwrap();
    let refused = read_until(&mut stream, "larger than").await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    stream.write_all(&vec![b' '; 299_999]).await.unwrap();
    stream.write_all(format!("GET /orders {head}\r\n").as_bytes()).await.unwrap();
    read_until(&mut stream, "HTTP/1.1 200 ").await;
}

async fn read_until(stream: &mut tokio::net::TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert_ne!(read, 0, "closed after: {text}");
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
    }
    text
}

/// A service that answers the first request of each connection, and closes the connection when a
/// second one has arrived, as if the two had crossed.
async fn closes_kept_connections(connections: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                let _ = stream.write_all(answer).await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_get_is_repeated_when_a_kept_connection_broke() {
    let connections = Arc::new(AtomicUsize::new(0));
    let orders = closes_kept_connections(Arc::clone(&connections)).await;
    let gateway = Gateway::before(orders, nobody(), &[], CancellationToken::new()).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/orders").await.text, "ok");
    }
    assert!(connections.load(Ordering::SeqCst) >= 2);
}

#[tokio::test]
async fn a_post_is_never_repeated() {
    let connections = Arc::new(AtomicUsize::new(0));
    let orders = closes_kept_connections(Arc::clone(&connections)).await;
    let gateway = Gateway::before(orders, nobody(), &[], CancellationToken::new()).await;
    assert_eq!(gateway.get("/orders").await.text, "ok");
    let answer = Answer::of(gateway.request(Method::POST, "/orders").body("{}")).await;
    answer.assert_problem(502, "");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connections_to_a_service_are_kept() {
    let connections = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    let gateway = Gateway::before(address, nobody(), &[], CancellationToken::new()).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/orders").await.text, "ok");
    }
    assert!(connections.load(Ordering::SeqCst) <= 2);
}
