//! Requests that are repeated with the same key.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::Service;

#[tokio::test]
async fn a_repeated_top_up_counts_once() {
    let service = Service::start("payments_repeat").await;
    service.open(1, 10).await;
    service.open(2, 10).await;
    let body = json!({"balance_change": 5});
    let first = service.send_with_key(Method::PATCH, "/users/1", "key", &body).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, None));
    service.change(1, 100).await;
    let again = service.send_with_key(Method::PATCH, "/users/1", "key", &body).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(service.balance(1).await, 115);

    let other_body = json!({"balance_change": 6});
    let answer = service.send_with_key(Method::PATCH, "/users/1", "key", &other_body).await;
    answer.assert_problem(409, "");
    // The same body for another user is another request.
    let answer = service.send_with_key(Method::PATCH, "/users/2", "key", &body).await;
    answer.assert_problem(409, "");
    assert_eq!(service.balance(2).await, 10);
}

#[tokio::test]
async fn repeated_withdrawals_at_the_same_time_count_once() {
    let service = Service::start("payments_at_once").await;
    // Enough for one of them only: a second one would be refused.
    service.open(1, 10).await;
    let body = json!({"balance_change": -10});
    let answers =
        join_all((0..12).map(|_| service.send_with_key(Method::PATCH, "/users/1", "key", &body)))
            .await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &answers[0].text));
    }
    let replayed =
        answers.iter().filter(|answer| answer.header("idempotency-replayed").is_some()).count();
    assert_eq!(replayed, 11);
    assert_eq!(service.balance(1).await, 0);
}

#[tokio::test]
async fn a_repeated_opening_is_no_conflict() {
    let service = Service::start("payments_reopen").await;
    let body = json!({"user_id": 1, "balance": 5});
    let first = service.send_with_key(Method::POST, "/users", "key", &body).await;
    let again = service.send_with_key(Method::POST, "/users", "key", &body).await;
    assert_eq!((again.status.as_u16(), again.text), (201, first.text));
    service.send_with_key(Method::POST, "/users", "other", &body).await.assert_problem(409, "");
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free() {
    let service = Service::start("payments_refused_key").await;
    service.open(1, 0).await;
    let body = json!({"balance_change": -5});
    let refused = service.send_with_key(Method::PATCH, "/users/1", "key", &body).await;
    refused.assert_problem(400, "balance_change");
    service.change(1, 5).await;
    let answer = service.send_with_key(Method::PATCH, "/users/1", "key", &body).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(service.balance(1).await, 0);
}
