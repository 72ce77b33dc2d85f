//! Requests that are repeated with the same key.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::harness::Service;
use test_support::answer::Answer;

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_has_no_second_effect() {
    let service = Service::start("orders_repeat").await;
    let body = json!({"user_id": 1, "amount": 10});
    let first = service.post_with_key("/orders", "key-1", &body).await;
    assert_eq!(first.status, 201);
    assert_eq!(first.header("idempotency-replayed"), None);
    for _ in 0..2 {
        let again = service.post_with_key("/orders", "key-1", &body).await;
        assert_eq!((again.status, &again.text), (first.status, &first.text));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.header("content-type"), Some("application/json"));
    }
    assert_eq!(service.count("SELECT count(*) FROM orders", &[]).await, 1);
    assert_eq!(service.count("SELECT count(*) FROM outbox", &[]).await, 1);

    let other_key = service.post_with_key("/orders", "key-2", &body).await;
    assert_ne!(other_key.text, first.text);
}

#[tokio::test]
async fn a_key_cannot_be_used_for_another_request() {
    let service = Service::start("orders_conflict").await;
    let body = json!({"user_id": 1, "amount": 10});
    assert_eq!(service.post_with_key("/orders", "key", &body).await.status, 201);
    let other = json!({"user_id": 1, "amount": 11});
    service.post_with_key("/orders", "key", &other).await.assert_problem(409, "");
    service.post_with_key("/orders/", "key", &body).await.assert_problem(409, "");
    assert_eq!(service.count("SELECT count(*) FROM orders", &[]).await, 1);
}

#[tokio::test]
async fn requests_at_the_same_time_have_one_effect_and_one_answer() {
    let service = Service::start("orders_at_once").await;
    let body = json!({"user_id": 1, "amount": 10});
    let answers: Vec<Answer> =
        join_all((0..12).map(|_| service.post_with_key("/orders", "key", &body))).await;
    let replayed =
        answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some()).count();
    assert_eq!(replayed, 11);
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.text), (201, &answers[0].text));
    }
    assert_eq!(service.count("SELECT count(*) FROM orders", &[]).await, 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let service = Service::start("orders_refused_key").await;
    let bad = json!({"user_id": 1, "amount": -10});
    service.post_with_key("/orders", "key", &bad).await.assert_problem(400, "amount");
    let good = json!({"user_id": 1, "amount": 10});
    assert_eq!(service.post_with_key("/orders", "key", &good).await.status, 201);
}

#[tokio::test]
async fn a_key_has_at_most_255_characters() {
    let service = Service::start("orders_long_key").await;
    let body = json!({"user_id": 1, "amount": 10});
    let long = "k".repeat(256);
    service.post_with_key("/orders", &long, &body).await.assert_problem(400, "Idempotency-Key");
    assert_eq!(service.post_with_key("/orders", &long[1..], &body).await.status, 201);
}

#[tokio::test]
async fn keys_are_purged_after_a_day() {
    let service = Service::start("orders_purge").await;
    let body = json!({"user_id": 1, "amount": 10});
    for key in ["old", "new"] {
        service.post_with_key("/orders", key, &body).await;
    }
    service
        .execute(
            "UPDATE idempotency_keys SET created_at = created_at - interval '25 hours' WHERE key = 'old'",
            &[],
        )
        .await;
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!(kit::idempotency::purge_batch(&service.database, day).await.unwrap(), 1);
    assert_eq!(kit::idempotency::purge_batch(&service.database, day).await.unwrap(), 0);
    let again = service.post_with_key("/orders", "new", &body).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}
