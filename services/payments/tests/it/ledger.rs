//! The record of every movement.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use test_support::answer::Answer;

use crate::harness::Service;
use crate::tasks::task;

#[tokio::test]
async fn every_movement_is_in_the_ledger_newest_first() {
    let service = Service::start("payments_ledger").await;
    service.open(1, 100).await;
    service.open(2, 0).await;
    service.change(1, 50).await;
    service.change(1, -30).await;
    let paid = task(1, "20.5");
    service.receive(std::slice::from_ref(&paid)).await;
    // What moves nothing is not in it.
    service.change(1, 0).await;
    service.receive(&[task(1, "100000")]).await;

    let answer = service.get("/users/1/ledger").await;
    let entries = answer.json();
    let seen: Vec<Value> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            json!([entry["kind"], entry["amount"], entry["balance_after"], entry["order_id"]])
        })
        .collect();
    assert_eq!(
        seen,
        [
            json!(["payment", -20.5, 99.5, paid.key]),
            json!(["withdrawal", -30, 120, null]),
            json!(["top_up", 50, 150, null]),
            json!(["opening", 100, 100, null]),
        ]
    );
    for path in ["/users/2/ledger", "/users/2/ledger/"] {
        assert_eq!(service.get(path).await.json().as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_ledger_adds_up_in_the_order_it_lists() {
    let service = Service::start("payments_adds_up").await;
    service.open(1, 1000).await;
    let changes = (1..=12).map(|n| service.change(1, if n % 2 == 0 { n } else { -n }));
    let payments = (0..4).map(|_| async { service.receive(&[task(1, "7"), task(1, "3")]).await });
    futures::join!(join_all(changes), join_all(payments));

    let entries = service.get("/users/1/ledger").await.json();
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 1 + 12 + 8);
    for pair in entries.windows(2) {
        let [newer, older] = pair else { unreachable!() };
        let number = |entry: &Value, member: &str| entry[member].as_i64().unwrap();
        assert_eq!(
            number(newer, "balance_after"),
            number(older, "balance_after") + number(newer, "amount"),
        );
        let time = |entry: &Value| -> jiff::Timestamp {
            entry["created_at"].as_str().unwrap().parse().unwrap()
        };
        assert!(time(newer) >= time(older), "{newer} {older}");
        assert!(number(newer, "id") > number(older, "id"));
    }
    assert_eq!(entries[0]["balance_after"], service.balance(1).await);
}

#[tokio::test]
async fn the_ledger_comes_in_pages() {
    let service = Service::start("payments_ledger_pages").await;
    service.open(1, 1).await;
    for _ in 0..6 {
        service.change(1, 1).await;
    }
    let whole = service.get("/users/1/ledger").await.json();
    let (mut joined, mut query) = (Vec::new(), String::new());
    loop {
        let page = service.get(&format!("/users/1/ledger?limit=3{query}")).await.json();
        joined.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => query = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(Value::from(joined), whole);
    service.get("/users/1/ledger?limit=0").await.assert_problem(400, "limit");
    service.get("/users/1/ledger?after=x").await.assert_problem(400, "after");
}

#[tokio::test]
async fn what_an_owner_does_to_an_account_is_told_to_whoever_listens() {
    let service = Service::start("payments_events").await;
    let change = |amount: i64| {
        let body = serde_json::json!({"balance_change": amount});
        Answer::of(service.request(Method::PATCH, "/users/7").json(&body))
    };
    let account = serde_json::json!({"user_id": 7, "balance": 5});
    let opened = service.request(Method::POST, "/users").json(&account);
    assert_eq!(Answer::of(opened).await.status, 201);
    for (amount, status) in [(10, 200), (-3, 200), (0, 200), (-100, 400)] {
        assert_eq!(change(amount).await.status, status);
    }
    let sql = "SELECT count(*) FROM events WHERE type = 'account.changed' \
               AND aggregate_id = '7' AND (payload->>'user_id')::bigint = 7";
    // Opened, topped up, withdrawn; what changed nothing is no event.
    assert_eq!(service.count(sql, &[]).await, 3);
}
