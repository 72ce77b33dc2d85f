//! Payment tasks delivered by the sidecar.

use futures::future::join_all;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use crate::harness::{Event, Service, TRACE_ID};

/// A request to pay a new order.
pub(crate) fn task(user_id: i64, amount: &str) -> Event {
    task_for(Uuid::now_v7(), user_id, amount)
}

fn task_for(order_id: Uuid, user_id: i64, amount: &str) -> Event {
    let amount: Value = serde_json::from_str(amount).unwrap();
    Event {
        id: Uuid::now_v7(),
        kind: "order.payment_requested".to_owned(),
        key: order_id.to_string(),
        data: json!({"amount": amount, "user_id": user_id, "order_id": order_id, "description": "vase"}),
    }
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

struct Notice {
    kind: String,
    payload: Value,
    traceparent: String,
}

/// What the outbox tells of an order.
async fn notices(service: &Service, order_id: &str) -> Vec<Notice> {
    service
        .rows(
            "SELECT type, payload::text, headers->>'traceparent', aggregate_type FROM outbox \
             WHERE aggregate_id = $1 ORDER BY position",
            &[&order_id],
        )
        .await
        .iter()
        .map(|row| {
            assert_eq!(row.get::<_, &str>(3), "payment");
            Notice {
                kind: row.get(0),
                payload: serde_json::from_str(row.get(1)).unwrap(),
                traceparent: row.get(2),
            }
        })
        .collect()
}

#[tokio::test]
async fn a_covered_order_is_paid_and_told() {
    let service = Service::start("payments_paid").await;
    service.open(1, 1400).await;
    let task = task(1, "1000");
    assert_eq!(statuses(&service.receive(std::slice::from_ref(&task)).await), ["applied"]);
    assert_eq!(service.balance(1).await, 400);

    let notices = notices(&service, &task.key).await;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].kind, "payment.succeeded");
    assert!(notices[0].traceparent.contains(TRACE_ID));
    let payload = notices[0].payload.as_object().unwrap();
    assert_eq!(payload.len(), 6, "{payload:?}");
    assert_eq!(payload["order_id"], task.key.as_str());
    assert_eq!(payload["user_id"], 1);
    assert_eq!(payload["amount"], 1000);
    assert_eq!(payload["status"], "SUCCESS");
    assert!(Uuid::parse_str(payload["payment_id"].as_str().unwrap()).is_ok());
    assert!(payload["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
}

#[tokio::test]
async fn a_payments_timeline_tells_when_kafka_had_the_task() {
    let service = Service::start("payments_timeline").await;
    service.open(1, 1400).await;
    let task = task(1, "1000");
    service.receive(std::slice::from_ref(&task)).await;
    let timeline = service.get(&format!("/payments/{}/timeline", task.key)).await.json();
    let steps = timeline["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["task_published", "task_received", "paid"]);
    assert_eq!(steps[0]["at"], "2026-11-22T12:36:32.5Z");
}

#[tokio::test]
async fn an_order_that_is_not_covered_fails_and_takes_nothing() {
    let service = Service::start("payments_failed").await;
    service.open(1, 10).await;
    // Amounts of a million and more used to get stuck.
    for (user_id, amount, error) in [
        (1, "10.0001", "insufficient_funds"),
        (1, "999999999999999", "insufficient_funds"),
        (2, "5", "account_not_found"),
        (-1, "5000000", "account_not_found"),
    ] {
        let task = task(user_id, amount);
        assert_eq!(statuses(&service.receive(std::slice::from_ref(&task)).await), ["applied"]);
        let notices = notices(&service, &task.key).await;
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].kind, "payment.failed");
        assert_eq!(notices[0].payload["status"], "FAILED");
        assert_eq!(notices[0].payload["error"], error);
    }
    assert_eq!(service.balance(1).await, 10);
    let failed = "SELECT count(*) FROM payments WHERE status = 'FAILED' AND reason IS NOT NULL";
    assert_eq!(service.count(failed, &[]).await, 4);
}

#[tokio::test]
async fn large_amounts_are_paid() {
    let service = Service::start("payments_million").await;
    service.open(1, 5_000_000).await;
    service.receive(&[task(1, "1000000.0001")]).await;
    assert_eq!(service.get("/users/1").await.text, r#"{"user_id":1,"balance":3999999.9999}"#);
}

#[tokio::test]
async fn an_order_is_paid_once_whatever_comes_again() {
    let service = Service::start("payments_once").await;
    service.open(1, 100).await;
    let order_id = Uuid::now_v7();
    let first = task_for(order_id, 1, "10");
    // The same message again, and another message for the same order, in one batch and in
    // batches at the same time.
    let again = task_for(order_id, 1, "10");
    join_all((0..6).map(|_| async {
        let results = service.receive(&[first.clone(), again.clone()]).await;
        for status in statuses(&results) {
            assert!(matches!(status, "applied" | "duplicate"), "{results:?}");
        }
    }))
    .await;
    assert_eq!(service.balance(1).await, 90);
    assert_eq!(notices(&service, &order_id.to_string()).await.len(), 1);
    assert_eq!(service.count("SELECT count(*) FROM payments", &[]).await, 1);
    let pending = "SELECT count(*) FROM inbox WHERE processed_at IS NULL OR attempts <> 1";
    assert_eq!(service.count(pending, &[]).await, 0);
}

#[tokio::test]
async fn payments_at_the_same_time_never_overdraw() {
    let service = Service::start("payments_overdraw").await;
    service.open(1, 100).await;
    let batches: Vec<Vec<Event>> =
        (0..10).map(|_| (0..5).map(|_| task(1, "7")).collect()).collect();
    let batches = join_all(batches.iter().map(|batch| service.receive(batch)));
    let withdrawals = join_all((0..5).map(|_| service.patch_text(1, r#"{"balance_change":-7}"#)));
    let (results, withdrawn) = futures::join!(batches, withdrawals);
    for status in results.iter().flat_map(|results| statuses(results)) {
        assert_eq!(status, "applied");
    }
    let withdrawn = withdrawn.iter().filter(|answer| answer.status.is_success()).count();
    let paid = service.count("SELECT count(*) FROM payments WHERE status = 'SUCCESS'", &[]).await;
    // A hundred covers fourteen sevens.
    assert_eq!(i64::try_from(withdrawn).unwrap() + paid, 14);
    assert_eq!(service.balance(1).await, 2);
    assert_eq!(service.count("SELECT count(*) FROM outbox", &[]).await, 50);
}

#[tokio::test]
async fn a_task_that_is_rejected_takes_nothing_of_its_batch_along() {
    let service = Service::start("payments_batch").await;
    service.open(1, 100).await;
    service.open(2, 100).await;
    let unknown = Event { kind: "unknown".to_owned(), ..task(1, "5") };
    let batch = [task(1, "10"), task(2, "20"), unknown, task(1, "30")];
    let results = service.receive(&batch).await;
    let by_id = |id: &Event| {
        let result = results.iter().find(|result| result["id"] == id.id.to_string());
        result.unwrap()["status"].as_str().unwrap().to_owned()
    };
    let statuses: Vec<String> = batch.iter().map(by_id).collect();
    assert_eq!(statuses, ["applied", "applied", "rejected", "applied"]);
    assert_eq!((service.balance(1).await, service.balance(2).await), (json!(60), json!(80)));
    let attempts = "SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL AND attempts = 1";
    assert_eq!(service.count(attempts, &[]).await, 3);
    assert_eq!(service.count("SELECT count(*) FROM outbox", &[]).await, 3);
}

#[tokio::test]
async fn batches_that_need_the_same_accounts_do_not_wait_for_each_other_in_a_circle() {
    let service = Service::start("payments_circle").await;
    for user in 1..=10 {
        service.open(user, 1_000).await;
    }
    let there = |round: i64| (1..=10).map(move |user| task(1 + (user + round) % 10, "1"));
    let batches: Vec<Vec<Event>> = (0..20)
        .map(|round| match round % 2 {
            0 => there(round).collect(),
            _ => there(round).rev().collect(),
        })
        .collect();
    for results in join_all(batches.iter().map(|batch| service.receive(batch))).await {
        assert_eq!(statuses(&results), ["applied"; 10]);
    }
    for user in 1..=10 {
        assert_eq!(service.balance(user).await, 980);
    }
    let circles = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(service.count(circles, &[]).await, 0);
}

#[tokio::test]
async fn tasks_of_one_key_are_applied_in_order() {
    let service = Service::start("payments_order").await;
    service.open(1, 100).await;
    // One key for all: only the order in the batch lets the first two be paid.
    let batch: Vec<Event> = ["60", "40", "50", "1"]
        .iter()
        .map(|amount| Event { key: "one key".to_owned(), ..task(1, amount) })
        .collect();
    assert_eq!(statuses(&service.receive(&batch).await), ["applied"; 4]);
    let paid = service
        .rows("SELECT amount::text FROM payments WHERE status = 'SUCCESS' ORDER BY created_at", &[])
        .await;
    let paid: Vec<&str> = paid.iter().map(|row| row.get(0)).collect();
    assert_eq!(paid, ["60.0000", "40.0000"]);
}

#[tokio::test]
async fn what_can_never_be_applied_is_rejected_with_a_reason() {
    let service = Service::start("payments_rejected").await;
    service.open(1, 100).await;
    let with = |change: fn(&mut Event)| {
        let mut event = task(1, "5");
        change(&mut event);
        event
    };
    for (event, reason) in [
        (with(|event| event.kind = "unknown".to_owned()), "unknown"),
        (with(|event| event.data = Value::Null), "payload"),
        (with(|event| event.data = json!("text")), "payload"),
        (with(|event| event.data["amount"] = json!("5")), "amount"),
        (with(|event| event.data["amount"] = json!(0)), "greater than zero"),
        (with(|event| event.data["amount"] = json!(-5)), "greater than zero"),
        (with(|event| event.data["amount"] = json!(0.00001)), "decimals"),
        (with(|event| event.data["user_id"] = json!("1")), "user_id"),
        (with(|event| event.data["order_id"] = json!("17")), "order_id"),
    ] {
        let results = service.receive(&[event]).await;
        assert_eq!(statuses(&results), ["rejected"], "{results:?}");
        assert!(results[0]["reason"].as_str().unwrap().contains(reason), "{results:?}");
    }
    assert_eq!(service.balance(1).await, 100);
    let marked = "SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL";
    assert_eq!(service.count(marked, &[]).await, 0);
    assert_eq!(service.count("SELECT count(*) FROM outbox", &[]).await, 0);
}

#[tokio::test]
async fn every_digit_of_an_amount_survives() {
    let service = Service::start("payments_digits").await;
    let opened = r#"{"user_id":1,"balance":999999999999999.9999}"#;
    assert_eq!(service.post_text("/users", opened).await.status.as_u16(), 201);
    let event = task(1, "1");
    // As text, because a JSON value would round it.
    let data =
        format!(r#"{{"amount":123456789012345.6789,"user_id":1,"order_id":"{}"}}"#, event.key);
    let data = RawValue::from_string(data).unwrap();
    #[derive(serde::Serialize)]
    struct Raw<'a> {
        specversion: &'a str,
        id: Uuid,
        r#type: &'a str,
        data: &'a RawValue,
    }
    let raw = Raw { specversion: "1.0", id: event.id, r#type: &event.kind, data: &data };
    service
        .execute(
            "INSERT INTO inbox (message_id, topic, partition, kafka_offset) VALUES ($1, 't', 0, 0)",
            &[&event.id],
        )
        .await;
    let answer = service.deliver(&serde_json::to_string(&[raw]).unwrap()).await;
    assert_eq!(answer.json()["results"][0]["status"], "applied");
    let found = service.get("/users/1").await;
    assert_eq!(found.text, r#"{"user_id":1,"balance":876543210987654.321}"#);
}
