//! What each route answers.

use futures::future::join_all;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::harness::Service;
use test_support::answer::Answer;

#[tokio::test]
async fn a_new_account_is_answered_in_full() {
    let service = Service::start("payments_new").await;
    for (path, user_id) in [("/users", 1), ("/users/", 2)] {
        let body = json!({"user_id": user_id, "balance": 1400});
        let answer = service.post_text(path, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let account = answer.json();
        assert_eq!(account.as_object().unwrap().len(), 5, "{account}");
        assert!(Uuid::parse_str(account["id"].as_str().unwrap()).is_ok());
        assert_eq!(account["user_id"], user_id);
        assert_eq!(account["balance"], 1400);
        for time in ["created_at", "updated_at"] {
            let text = account[time].as_str().unwrap();
            assert!(text.ends_with(" GMT"), "{text}");
            assert!(DateTimeParser::new().parse_timestamp(text).is_ok(), "{text}");
        }
        let found = service.get(&format!("/users/{user_id}")).await;
        assert_eq!(found.status, StatusCode::OK);
        assert_eq!(found.json(), json!({"user_id": user_id, "balance": 1400}));
    }
}

#[tokio::test]
async fn an_account_opens_empty_by_default() {
    let service = Service::start("payments_empty").await;
    for (user_id, body) in [(1, r#"{"user_id":1}"#), (2, r#"{"user_id":2,"balance":0}"#)] {
        let answer = service.post_text("/users", body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["balance"]), (201, &json!(0)));
        assert_eq!(service.balance(user_id).await, 0);
    }
}

#[tokio::test]
async fn a_user_has_one_account() {
    let service = Service::start("payments_one").await;
    let body = r#"{"user_id":1,"balance":5}"#;
    let answers = join_all((0..6).map(|_| service.post_text("/users", body))).await;
    let opened = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(opened, 1);
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        answer.assert_problem(409, "");
        assert_eq!(answer.json()["title"], "Account already exists for this user");
    }
}

#[tokio::test]
async fn a_balance_is_topped_up_and_withdrawn_from_exactly() {
    let service = Service::start("payments_change").await;
    service.open(1, 1400).await;
    assert_eq!(service.change(1, 300).await, 1700);
    assert_eq!(service.change(1, -1700).await, 0);
    for change in ["0.1", "0.2", "0.0001"] {
        let body = format!(r#"{{"balance_change":{change}}}"#);
        assert_eq!(service.patch_text(1, body).await.status, StatusCode::OK);
    }
    let answer = service.get("/users/1").await;
    assert_eq!(answer.text, r#"{"user_id":1,"balance":0.3001}"#);
    for nothing in ["{}", r#"{"balance_change":0}"#] {
        assert_eq!(service.patch_text(1, nothing).await.text, answer.text);
    }
}

#[tokio::test]
async fn each_change_answers_the_balance_it_made() {
    let service = Service::start("payments_returning").await;
    service.open(1, 0).await;
    let mut balances: Vec<i64> = join_all((0..20).map(|_| service.change(1, 1)))
        .await
        .iter()
        .map(|balance| balance.as_i64().unwrap())
        .collect();
    balances.sort_unstable();
    assert_eq!(balances, (1..=20).collect::<Vec<i64>>());
}

#[tokio::test]
async fn nobody_withdraws_more_than_there_is() {
    let service = Service::start("payments_insufficient").await;
    service.open(1, 10).await;
    let answer = service.patch_text(1, r#"{"balance_change":-10.0001}"#).await;
    answer.assert_problem(400, "balance_change");
    assert_eq!(answer.json()["title"], "Insufficient funds");
    let answers = join_all((0..8).map(|_| service.patch_text(1, r#"{"balance_change":-3}"#))).await;
    let done = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(done, 3);
    assert_eq!(service.balance(1).await, 1);
}

#[tokio::test]
async fn a_balance_that_would_grow_too_large_is_refused() {
    let service = Service::start("payments_overflow").await;
    let most = r#"{"user_id":1,"balance":999999999999999.9999}"#;
    let opened = service.post_text("/users", most).await;
    assert!(opened.text.contains(r#""balance":999999999999999.9999"#), "{opened:?}");
    let answer = service.patch_text(1, r#"{"balance_change":0.0001}"#).await;
    answer.assert_problem(400, "balance_change");
    let found = service.get("/users/1").await;
    assert_eq!(found.text, r#"{"user_id":1,"balance":999999999999999.9999}"#);
}

#[tokio::test]
async fn reads_do_not_wait_for_a_payment_under_way() {
    let service = Service::start("payments_reads").await;
    service.open(1, 10).await;
    let mut client = service.database.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    tx.execute("UPDATE accounts SET balance = 3 WHERE user_id = 1", &[]).await.unwrap();
    // Were it to wait, it would until the request timeout, and answer 503.
    assert_eq!(service.balance(1).await, 10);
    tx.rollback().await.unwrap();
}

#[tokio::test]
async fn health_is_told_in_words() {
    let service = Service::start("payments_health").await;
    let answer = service.get("/health").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.text, "Payments service is healthy!");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let service = Service::start("payments_missing").await;
    service.get("/users/1").await.assert_problem(404, "");
    service.get("/users/-1").await.assert_problem(404, "");
    service.get("/users/1/ledger").await.assert_problem(404, "");
    for change in ["1", "-1", "0"] {
        let body = format!(r#"{{"balance_change":{change}}}"#);
        service.patch_text(1, body).await.assert_problem(404, "");
    }
    service.get("/users/abc").await.assert_problem(400, "user_id");
    service.get("/users/99999999999999999999").await.assert_problem(400, "user_id");
    service.get("/users/abc/ledger").await.assert_problem(400, "user_id");
    let patch = service.request(Method::PATCH, "/users/abc").body("{}");
    Answer::of(patch).await.assert_problem(400, "user_id");
    service.get("/nowhere").await.assert_problem(404, "");
    let answer = service.get("/users").await;
    answer.assert_problem(405, "");
    assert_eq!(answer.header("allow"), Some("POST"));
}
