//! What operators see of the sidecars, and decide; the sidecars are played.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use test_support::answer::Answer;
use tokio_util::sync::CancellationToken;

use crate::harness::{Gateway, serve};

/// What a sidecar was asked: method, path with query, token, body.
type Asked = Arc<Mutex<Vec<(Method, String, Option<String>, Value)>>>;

/// A sidecar with one dead letter.
async fn sidecar(stop: &CancellationToken) -> (SocketAddr, Asked) {
    async fn answer(State(asked): State<Asked>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let token = parts.headers.get("authorization").map(|it| it.to_str().unwrap().to_owned());
        let uri = parts.uri.to_string();
        asked.lock().unwrap().push((parts.method, uri.clone(), token, body));
        let answer = match uri.split('?').next().unwrap() {
            "/status" => json!({"outboxes": {"orders": {"pendingRows": 3}}}),
            "/dead-letters" => json!({
                "items": [{
                    "side": "inbox", "name": "tasks", "id": "7c1", "messageId": "7c1", "key": null,
                    "origin": {"topic": "t", "partition": 1, "offset": 9}, "attempts": 5,
                    "reason": "it says no", "deadAt": "2026-11-25T12:00:00Z"
                }],
                "next": "inbox/tasks/t/1/9"
            }),
            "/dead-letters/retry" => json!({"settled": 1}),
            _ => {
                let refusal = axum::Json(json!({"error": "there is no inbox `nowhere`"}));
                return (StatusCode::NOT_FOUND, refusal).into_response();
            }
        };
        axum::Json(answer).into_response()
    }
    let asked = Asked::default();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    (serve(router, stop).await, asked)
}

/// A gateway that knows one sidecar, and another one that is away.
async fn gateway(token_file: Option<&str>) -> (Gateway, Asked) {
    let stop = CancellationToken::new();
    let (at, asked) = sidecar(&stop).await;
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sidecars = format!("--sidecars=orders=http://{at},payments=http://{gone}");
    let token = token_file.map(|file| format!("--sidecar-token-file={file}"));
    let flags: Vec<&str> = [sidecars.as_str()].into_iter().chain(token.as_deref()).collect();
    let gateway = Gateway::before(at, at, &flags, stop).await;
    asked.lock().unwrap().clear();
    (gateway, asked)
}

#[tokio::test]
async fn an_operator_sees_every_sidecar_and_why_one_is_not_there() {
    let (gateway, _) = gateway(None).await;
    let seen = gateway.get("/operator/pipeline").await;
    assert_eq!(seen.status, StatusCode::OK);
    let services = seen.json()["services"].clone();
    assert_eq!(
        services[0],
        json!({
            "service": "orders", "available": true,
            "status": {"outboxes": {"orders": {"pendingRows": 3}}}
        })
    );
    assert_eq!(
        (&services[1]["service"], &services[1]["available"]),
        (&json!("payments"), &json!(false))
    );
    let error = services[1]["error"].as_str().unwrap();
    assert!(error.contains("sidecar of payments is not reachable"), "{error}");
}

#[tokio::test]
async fn a_user_sees_nothing_of_it_and_no_sidecar_is_asked() {
    let (gateway, asked) = gateway(None).await;
    let user = gateway.demo_token(r#"{"user_id":7}"#).await;
    for (method, path) in [
        (Method::GET, "/operator/pipeline"),
        (Method::GET, "/operator/pipeline/orders/dead-letters"),
        (Method::POST, "/operator/pipeline/orders/dead-letters/retry"),
        (Method::POST, "/operator/pipeline/orders/dead-letters/skip"),
    ] {
        let request = gateway.request_as(Some(&user), method.clone(), path);
        let refused = Answer::of(request.body(r#"{"inbox":"tasks","id":"7c1"}"#)).await;
        assert_eq!(refused.assert_problem(403, "")["code"], "forbidden");
        let nobody = Answer::of(gateway.request_as(None, method, path)).await;
        nobody.assert_problem(401, "");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn dead_letters_are_listed_in_pages_and_the_token_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "the-first-token\n").unwrap();
    let (gateway, asked) = gateway(file.to_str()).await;
    let page = gateway.get("/operator/pipeline/orders/dead-letters").await.json();
    assert_eq!(page["items"][0]["origin"]["offset"], 9);
    assert_eq!(page["items"][0]["deadAt"], "2026-11-25T12:00:00Z");
    assert_eq!(page["next_cursor"], "inbox/tasks/t/1/9");

    std::fs::write(&file, "the-second-token\n").unwrap();
    let cursor = "direction=inbox&limit=2&cursor=inbox%2Ftasks%2Ft%2F1%2F9";
    gateway.get(&format!("/operator/pipeline/orders/dead-letters?{cursor}")).await;
    let asked = asked.lock().unwrap().clone();
    let paths: Vec<_> =
        asked.iter().map(|(_, path, token, _)| (path.as_str(), token.as_deref())).collect();
    assert_eq!(
        paths,
        [
            ("/dead-letters?limit=100", Some("Bearer the-first-token")),
            (
                "/dead-letters?limit=2&side=inbox&after=inbox%2Ftasks%2Ft%2F1%2F9",
                Some("Bearer the-second-token")
            ),
        ]
    );
}

#[tokio::test]
async fn a_decision_names_who_made_it_whatever_the_body_says() {
    let (gateway, asked) = gateway(None).await;
    let post = |path: &str, body: &'static str| {
        let path = format!("/operator/pipeline/{path}");
        Answer::of(gateway.request(Method::POST, &path).body(body))
    };
    let decided = post("orders/dead-letters/retry", r#"{"inbox":"tasks","id":"7c1"}"#).await;
    assert_eq!(decided.json(), json!({"settled": 1, "gone": []}));
    let told = asked.lock().unwrap()[0].3.clone();
    assert_eq!(told, json!({"actor": "operator", "inbox": "tasks", "id": "7c1"}));

    for (body, field) in [
        (r#"{"inbox":"tasks","id":"7c1","actor":"someone else"}"#, "actor"),
        (r#"{"id":"7c1"}"#, "outbox"),
        (r#"{"inbox":"a","outbox":"a","id":"7c1"}"#, "outbox"),
        (r#"{"inbox":"a"}"#, "id"),
        (r#"{"all":true}"#, "all"),
    ] {
        post("orders/dead-letters/retry", body).await.assert_problem(400, field);
    }
    let unknown = post("orders/dead-letters/skip", r#"{"inbox":"nowhere","id":"7c1"}"#).await;
    assert_eq!(unknown.assert_problem(404, "")["detail"], "there is no inbox `nowhere`");
    post("ordres/dead-letters/skip", r#"{"inbox":"a","id":"1"}"#).await.assert_problem(404, "");
    let away = post("payments/dead-letters/skip", r#"{"inbox":"a","id":"1"}"#).await;
    assert!(away.headers.contains_key("retry-after"), "{away:?}");
    away.assert_problem(503, "");
    for query in ["limit=0", "limit=501", "limit=many", "direction=up", "colour=red"] {
        let path = format!("/operator/pipeline/orders/dead-letters?{query}");
        assert_eq!(gateway.get(&path).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}
