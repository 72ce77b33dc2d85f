//! What a user may see and change, and what an operator may.

use std::net::SocketAddr;

use axum::extract::Path;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use test_support::answer::Answer;
use tokio_util::sync::CancellationToken;

use crate::harness::{Gateway, serve};

const OWN: &str = "0191d2c2-0000-7000-8000-000000000007";
const FOREIGN: &str = "0191d2c2-0000-7000-8000-000000000008";
const ABSENT: &str = "0191d2c2-0000-7000-8000-000000000009";

/// Has an order of user 7 and one of user 8, and lists them.
async fn orders(stop: &CancellationToken) -> SocketAddr {
    async fn one(Path(id): Path<String>) -> Response {
        match id.as_str() {
            OWN => Json(json!({"id": id, "user_id": 7, "amount": 10.5})).into_response(),
            FOREIGN => Json(json!({"id": id, "user_id": 8})).into_response(),
            _ => {
                let problem = kit::Problem::not_found(format!("there is no order {id}"));
                problem.titled("Order not found").into_response()
            }
        }
    }
    async fn way(Path(id): Path<String>) -> Response {
        let user_id = match id.as_str() {
            OWN => 7,
            FOREIGN => 8,
            _ => return one(Path(id)).await,
        };
        let steps = json!([
            {"step": "accepted", "at": "2026-11-22T12:00:00.000100Z"},
            // Milliseconds of another clock, which is ahead.
            {"step": "outcome_published", "at": "2026-11-22T12:00:00.031Z"},
            {"step": "outcome_received", "at": "2026-11-22T12:00:00.030Z"},
            {"step": "finished", "at": "2026-11-22T12:00:00.0351Z"},
        ]);
        let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let way = json!({
            "order_id": id, "user_id": user_id, "trace_id": trace_id, "complete": true, "steps": steps,
        });
        Json(way).into_response()
    }
    let all = || async { Json(json!([{"user_id": 7}, {"user_id": 8}])) };
    let of_user = |Path(user): Path<i64>| async move { Json(json!([{"user_id": user}])) };
    let router = Router::new()
        .route("/orders", get(all).post(|| async { StatusCode::CREATED }))
        .route("/orders/{id}", get(one))
        .route("/orders/{id}/timeline", get(way))
        .route("/orders/user/{user}", get(of_user));
    serve(router, stop).await
}

/// A gateway in front of them, and a token of user 7.
async fn gateway() -> (Gateway, String) {
    let stop = CancellationToken::new();
    let orders = orders(&stop).await;
    let steps = json!({"steps": [
        // Before the order, by a clock that is behind.
        {"step": "task_published", "at": "2026-11-22T12:00:00.000Z"},
        {"step": "task_received", "at": "2026-11-22T12:00:00.010Z"},
        {"step": "paid", "at": "2026-11-22T12:00:00.020Z"},
    ]});
    let router = Router::new()
        .route("/payments/{id}/timeline", get(|| async { Json(steps) }))
        .fallback(|| async { "{}" });
    let payments = serve(router, &stop).await;
    let gateway = Gateway::before(orders, payments, &[], stop).await;
    let token = gateway.demo_token(r#"{"user_id":7}"#).await;
    (gateway, token)
}

#[tokio::test]
async fn another_users_order_is_answered_like_one_that_does_not_exist() {
    let (gateway, user) = gateway().await;
    let own = gateway.get_as(&user, &format!("/orders/{OWN}")).await;
    assert_eq!(own.status.as_u16(), 200);
    assert_eq!(own.json()["amount"], 10.5);

    let foreign = gateway.get_as(&user, &format!("/orders/{FOREIGN}")).await;
    let absent = gateway.get_as(&user, &format!("/orders/{ABSENT}")).await;
    let same = |problem: Value, id: &str| problem.to_string().replace(id, "");
    assert_eq!(
        same(foreign.assert_problem(404, ""), FOREIGN),
        same(absent.assert_problem(404, ""), ABSENT)
    );
    for (id, expected) in [(OWN, 200), (FOREIGN, 404), (ABSENT, 404)] {
        let head = gateway.request_as(Some(&user), Method::HEAD, &format!("/orders/{id}"));
        assert_eq!(Answer::of(head).await.status.as_u16(), expected, "{id}");
        let seen = gateway.get(&format!("/orders/{id}")).await.status.as_u16();
        assert_eq!(seen, if id == ABSENT { 404 } else { 200 }, "an operator sees {id}");
    }
    gateway.get_as(&user, "/orders/17").await.assert_problem(400, "id");
}

#[tokio::test]
async fn a_user_lists_their_own_orders_and_an_operator_all() {
    let (gateway, user) = gateway().await;
    let mine = json!([{"user_id": 7}]);
    assert_eq!(gateway.get_as(&user, "/orders").await.json(), mine);
    assert_eq!(gateway.get_as(&user, "/orders/user/7").await.json(), mine);
    let foreign = gateway.get_as(&user, "/orders/user/8").await;
    assert_eq!(foreign.assert_problem(403, "")["code"], "forbidden");

    let all = json!([{"user_id": 7}, {"user_id": 8}]);
    assert_eq!(gateway.get("/orders").await.json(), all);
    assert_eq!(gateway.get("/orders/user/8").await.json(), json!([{"user_id": 8}]));
}

#[tokio::test]
async fn a_user_acts_for_themselves_alone() {
    let (gateway, user) = gateway().await;
    let cases = [
        (Method::POST, "/orders", r#"{"user_id":7,"amount":1}"#, 201),
        (Method::POST, "/orders", r#"{"user_id":8,"amount":1}"#, 403),
        (Method::POST, "/orders/", r#"{"user_id":8,"amount":1}"#, 403),
        (Method::POST, "/orders", r#"{"amount":1,"user_id":7,"user_id":8}"#, 400),
        (Method::POST, "/orders", r#"{"user_id":7.0,"amount":1}"#, 400),
        (Method::POST, "/orders", r#"{"user_id":"7","amount":1}"#, 400),
        (Method::POST, "/orders", r#"{"amount":1}"#, 400),
        (Method::POST, "/orders", "", 400),
        (Method::POST, "/users", r#"{"user_id":7}"#, 200),
        (Method::POST, "/users", r#"{"user_id":8}"#, 403),
        (Method::GET, "/users/7", "", 200),
        (Method::GET, "/users/8", "", 403),
        (Method::GET, "/users/007", "", 200),
        (Method::GET, "/users/%38", "", 403),
        (Method::GET, "/users/x", "", 400),
        (Method::PATCH, "/users/7", r#"{"balance_change":1}"#, 200),
        (Method::PATCH, "/users/8", r#"{"balance_change":1}"#, 403),
        (Method::GET, "/users/7/ledger", "", 200),
        (Method::GET, "/users/8/ledger", "", 403),
        (Method::GET, "/users/8/ledger/", "", 403),
    ];
    for (method, path, body, expected) in cases {
        let request = gateway.request_as(Some(&user), method.clone(), path).body(body);
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), expected, "{method} {path} {body}: {answer:?}");
    }
    let as_operator = gateway.request(Method::PATCH, "/users/8").body(r#"{"balance_change":1}"#);
    assert_eq!(Answer::of(as_operator).await.status.as_u16(), 200);
}

#[tokio::test]
async fn an_orders_timeline_joins_both_services_and_is_its_owners_alone() {
    let (gateway, user) = gateway().await;
    let timeline = gateway.get_as(&user, &format!("/orders/{OWN}/timeline")).await.json();
    let step = |step: &str, at: &str, elapsed_ms: f64| json!({"step": step, "at": format!("2026-11-22T12:00:00.{at}Z"), "elapsed_ms": elapsed_ms});
    let expected = json!({
        "order_id": OWN, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "complete": true,
        "steps": [
            step("accepted", "0001", 0.0),
            {"step": "task_published", "at": "2026-11-22T12:00:00Z", "elapsed_ms": 0.0},
            step("task_received", "01", 9.9), step("paid", "02", 19.9),
            step("outcome_published", "031", 30.9), step("outcome_received", "03", 30.9),
            step("finished", "0351", 35.0),
        ],
    });
    assert_eq!(timeline, expected);
    for (id, expected) in [(FOREIGN, 404), (ABSENT, 404), ("17", 400)] {
        let path = format!("/orders/{id}/timeline");
        assert_eq!(gateway.get_as(&user, &path).await.status.as_u16(), expected, "{id}");
    }
    let foreign = gateway.get(&format!("/orders/{FOREIGN}/timeline")).await;
    assert_eq!(foreign.status.as_u16(), 200, "an operator sees it");
}
