//! Requests that cannot be carried out, and leave nothing behind.

use reqwest::Method;
use serde_json::json;

use crate::harness::{MAX_BODY, Service};
use test_support::answer::Answer;

#[tokio::test]
async fn bad_orders_are_refused_with_the_field_to_blame() {
    let service = Service::start("orders_bad").await;
    for (body, field) in [
        ("", ""),
        ("{", ""),
        ("not json", ""),
        ("[]", ""),
        ("[1,10]", ""),
        ("null", ""),
        (r#"{"user_id":1,"amount":10} trailing"#, ""),
        (r#"{"amount":10}"#, "user_id"),
        (r#"{"user_id":"1","amount":10}"#, "user_id"),
        (r#"{"user_id":1.5,"amount":10}"#, "user_id"),
        (r#"{"user_id":99999999999999999999,"amount":10}"#, "user_id"),
        (r#"{"user_id":0,"amount":10}"#, "user_id"),
        (r#"{"user_id":-1,"amount":10}"#, "user_id"),
        (r#"{"user_id":1}"#, "amount"),
        (r#"{"user_id":1,"amount":null}"#, "amount"),
        (r#"{"user_id":1,"amount":"10"}"#, "amount"),
        (r#"{"user_id":1,"amount":0}"#, "amount"),
        (r#"{"user_id":1,"amount":-5}"#, "amount"),
        (r#"{"user_id":1,"amount":0.00001}"#, "amount"),
        (r#"{"user_id":1,"amount":1.23456}"#, "amount"),
        (r#"{"user_id":1,"amount":1e-5}"#, "amount"),
        (r#"{"user_id":1,"amount":123456789012345678901234567890}"#, "amount"),
        (r#"{"user_id":1,"amount":1e400}"#, "amount"),
        (r#"{"user_id":1,"amount":1,"amount":2}"#, "amount"),
        (r#"{"user_id":1,"amount":10,"description":5}"#, "description"),
        (r#"{"user_id":1,"amount":10,"description":"a\u0000b"}"#, "description"),
        (r#"{"user_id":1,"amount":10,"status":"FINISHED"}"#, "status"),
    ] {
        let answer = service.post_text("/orders", body).await;
        println!("{body}");
        answer.assert_problem(400, field);
    }
    let long = json!({"user_id": 1, "amount": 1, "description": "ж".repeat(1001)});
    service.post_text("/orders", long.to_string()).await.assert_problem(400, "description");
    let fits = json!({"user_id": 1, "amount": 1, "description": "ж".repeat(1000)});
    assert_eq!(service.post_text("/orders", fits.to_string()).await.status, 201);
    assert_eq!(service.count("SELECT count(*) FROM orders", &[]).await, 1);
    assert_eq!(service.count("SELECT count(*) FROM outbox", &[]).await, 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let service = Service::start("orders_large").await;
    let body = format!(r#"{{"user_id":1,"amount":1,"description":"{}"}}"#, "a".repeat(MAX_BODY));
    service.post_text("/orders", body).await.assert_problem(413, "");
}

#[tokio::test]
async fn another_content_type_is_refused() {
    let service = Service::start("orders_content_type").await;
    let post = |content_type: &'static str| {
        let request = service.request(Method::POST, "/orders").header("content-type", content_type);
        Answer::of(request.body(r#"{"user_id":1,"amount":1}"#))
    };
    post("text/plain").await.assert_problem(415, "Content-Type");
    post("application/x-www-form-urlencoded").await.assert_problem(415, "Content-Type");
    assert_eq!(post("application/json; charset=utf-8").await.status, 201);
    let untyped = service.request(Method::POST, "/orders").body(r#"{"user_id":1,"amount":1}"#);
    assert_eq!(Answer::of(untyped).await.status, 201);
}
