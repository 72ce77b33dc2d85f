//! What is passed on, and how.

use axum::http::Method;

use crate::harness::Gateway;
use test_support::answer::Answer;

#[tokio::test]
async fn each_route_goes_to_its_service_as_it_is() {
    let gateway = Gateway::start().await;
    let orders = [
        (Method::GET, "/orders"),
        (Method::POST, "/orders"),
        (Method::POST, "/orders/"),
        (Method::GET, "/orders/17"),
        (Method::GET, "/orders/user/1?limit=5&after=abc"),
    ];
    let payments = [
        (Method::POST, "/users"),
        (Method::POST, "/users/"),
        (Method::GET, "/users/1"),
        (Method::PATCH, "/users/1"),
        (Method::GET, "/users/1/ledger?limit=5"),
    ];
    for (method, path) in orders.iter().chain(&payments) {
        let answer = Answer::of(gateway.request(method.clone(), path).body("{}")).await;
        assert_eq!(answer.status.as_u16(), 201, "{method} {path}");
        assert_eq!(answer.text, r#"{"made":true}"#);
        assert_eq!(answer.header("idempotency-replayed"), Some("true"));
        assert_eq!(answer.header("link"), Some("</orders>; rel=\"next\""));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    for (recorder, expected) in [(&gateway.orders, &orders), (&gateway.payments, &payments)] {
        let seen: Vec<(Method, String)> = recorder
            .seen()
            .iter()
            .map(|seen| (seen.method.clone(), seen.uri.to_string()))
            .collect();
        let expected: Vec<(Method, String)> =
            expected.iter().map(|(method, path)| (method.clone(), (*path).to_owned())).collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn headers_and_body_reach_the_service() {
    let gateway = Gateway::start().await;
    let request = gateway
        .request(Method::POST, "/orders")
        .header("content-type", "application/json")
        .header("idempotency-key", "key-1")
        .header("x-request-id", "request-1")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-forwarded-for", "10.9.8.7")
        .header("connection", "x-private")
        .header("x-private", "1")
        .body(r#"{"user_id":1}"#);
    let answer = Answer::of(request).await;
    assert_eq!(answer.header("x-request-id"), Some("request-1"));
    let seen = &gateway.orders.seen()[0];
    assert_eq!(seen.body, r#"{"user_id":1}"#);
    let header = |name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header("idempotency-key"), Some("key-1"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("x-request-id"), Some("request-1"));
    assert_eq!(header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(header("x-forwarded-proto"), Some("http"));
    assert_eq!(header("x-forwarded-host"), Some(gateway.address.to_string().as_str()));
    assert_eq!(header("x-private"), None);
    // The services have no use for the token.
    assert_eq!(header("authorization"), None);
    let trace = header("traceparent").unwrap();
    assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{trace}");
    assert!(!trace.contains("00f067aa0ba902b7"), "{trace}");
}

#[tokio::test]
async fn a_request_id_and_a_trace_are_made_when_missing_or_unusable() {
    let gateway = Gateway::start().await;
    let unusable = gateway.request(Method::GET, "/orders").header("x-request-id", "a b");
    let answer = Answer::of(unusable).await;
    let id = answer.header("x-request-id").unwrap();
    assert_eq!(id.len(), 36);
    let seen = &gateway.orders.seen()[0];
    assert_eq!(seen.headers["x-request-id"], id);
    assert_eq!(seen.headers["traceparent"].len(), 55);
}

#[tokio::test]
async fn the_root_tells_that_the_gateway_is_there() {
    let gateway = Gateway::start().await;
    let answer = gateway.get("/").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "Gateway активен!"));
}

#[tokio::test]
async fn other_paths_and_methods_stop_here() {
    let gateway = Gateway::start().await;
    for path in ["/health", "/inbox", "/metrics", "/users/1/ledger/2", "/ordersx", "/orders/1/2"] {
        gateway.get(path).await.assert_problem(404, "");
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/orders", "GET,HEAD,POST"),
        (Method::GET, "/users", "POST"),
        (Method::PUT, "/users/1", "GET,HEAD,PATCH"),
    ] {
        let answer = Answer::of(gateway.request(method, path)).await;
        answer.assert_problem(405, "");
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    assert!(gateway.orders.seen().is_empty());
    assert!(gateway.payments.seen().is_empty());
}

#[tokio::test]
async fn pages_of_allowed_origins_may_call() {
    let gateway = Gateway::start().await;
    let preflight = |origin: &'static str| {
        let request = gateway
            .request(Method::OPTIONS, "/orders")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "idempotency-key");
        Answer::of(request)
    };
    let allowed = preflight("http://localhost:3000").await;
    assert_eq!(allowed.status.as_u16(), 200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("http://localhost:3000"));
    // Browsers send nothing on their own.
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    assert_eq!(allowed.header("access-control-max-age"), Some("300"));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    let stranger = preflight("http://evil.example").await;
    assert_eq!(stranger.header("access-control-allow-origin"), None);
    assert!(gateway.orders.seen().is_empty());
}
