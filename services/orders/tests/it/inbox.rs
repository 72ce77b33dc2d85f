//! Payment outcomes delivered by the sidecar.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Event, MAX_BODY, Service};

fn outcome(order_id: Uuid, kind: &str, status: &str, error: Option<&str>) -> Event {
    let mut data = json!({
        "payment_id": Uuid::now_v7(), "order_id": order_id, "user_id": 1, "amount": 5,
        "status": status, "timestamp": "2026-11-22T12:36:33Z",
    });
    if let Some(error) = error {
        data["error"] = error.into();
    }
    Event { id: Uuid::now_v7(), kind: kind.to_owned(), key: order_id.to_string(), data }
}

fn succeeded(order_id: Uuid) -> Event {
    outcome(order_id, "payment.succeeded", "SUCCESS", None)
}

fn failed(order_id: Uuid) -> Event {
    outcome(order_id, "payment.failed", "FAILED", Some("insufficient_funds"))
}

async fn state(service: &Service, id: Uuid) -> (Value, Value) {
    let order = service.get(&format!("/orders/{id}")).await.json();
    (order["status"].clone(), order["reason"].clone())
}

fn statuses(results: &[Value]) -> Vec<&str> {
    results.iter().map(|result| result["status"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn orders_end_as_their_payments_do() {
    let service = Service::start("orders_end").await;
    let (paid, poor) = (service.order(1, 5).await, service.order(1, 5).await);
    let results = service.receive(&[succeeded(paid), failed(poor)]).await;
    assert_eq!(statuses(&results), ["applied", "applied"]);
    assert_eq!(state(&service, paid).await, (json!("FINISHED"), Value::Null));
    assert_eq!(state(&service, poor).await, (json!("CANCELLED"), json!("insufficient_funds")));
    let marked = "SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL AND attempts = 1";
    assert_eq!(service.count(marked, &[]).await, 2);
}

#[tokio::test]
async fn an_orders_timeline_tells_when_kafka_had_the_outcome() {
    let service = Service::start("orders_timeline").await;
    let id = service.order(1, 5).await;
    service.receive(&[succeeded(id)]).await;
    let timeline = service.get(&format!("/orders/{id}/timeline")).await.json();
    let steps = timeline["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, ["accepted", "outcome_published", "outcome_received", "finished"]);
    assert_eq!(steps[1]["at"], "2026-11-22T12:36:32.5Z");
}

#[tokio::test]
async fn a_message_delivered_again_is_a_duplicate() {
    let service = Service::start("orders_duplicate").await;
    let id = service.order(1, 5).await;
    let event = succeeded(id);
    assert_eq!(statuses(&service.receive(&[event.clone(), event.clone()]).await)[0], "applied");
    assert_eq!(statuses(&service.receive(&[event]).await), ["duplicate"]);
}

#[tokio::test]
async fn another_message_with_the_same_outcome_changes_nothing() {
    let service = Service::start("orders_same_outcome").await;
    let id = service.order(1, 5).await;
    service.receive(&[succeeded(id)]).await;
    let before = service.get(&format!("/orders/{id}")).await.json();
    assert_eq!(statuses(&service.receive(&[succeeded(id)]).await), ["applied"]);
    assert_eq!(service.get(&format!("/orders/{id}")).await.json(), before);
}

#[tokio::test]
async fn a_contradicting_outcome_is_rejected_and_changes_nothing() {
    let service = Service::start("orders_contradiction").await;
    let id = service.order(1, 5).await;
    // In one batch: the first of a key counts.
    let results = service.receive(&[succeeded(id), failed(id)]).await;
    assert_eq!(statuses(&results), ["applied", "rejected"]);
    assert!(results[1]["reason"].as_str().unwrap().contains("FINISHED"), "{results:?}");
    assert_eq!(state(&service, id).await.0, "FINISHED");
    let pending = "SELECT count(*) FROM inbox WHERE processed_at IS NULL";
    assert_eq!(service.count(pending, &[]).await, 1);
}

#[tokio::test]
async fn what_can_never_be_applied_is_rejected_with_a_reason() {
    let service = Service::start("orders_rejected").await;
    let id = service.order(1, 5).await;
    let with = |change: fn(&mut Event)| {
        let mut event = succeeded(id);
        change(&mut event);
        event
    };
    let unknown_order = succeeded(Uuid::now_v7());
    let events = [
        with(|event| event.kind = "unknown".to_owned()),
        with(|event| event.data["order_id"] = "17".into()),
        with(|event| event.data = Value::Null),
        with(|event| event.data["status"] = "FAILED".into()),
        unknown_order,
    ];
    for (event, reason) in
        events.into_iter().zip(["type", "order_id", "", "contradicts", "no order"])
    {
        let results = service.receive(&[event]).await;
        assert_eq!(statuses(&results), ["rejected"], "{results:?}");
        assert!(results[0]["reason"].as_str().unwrap().contains(reason), "{results:?}");
    }
    assert_eq!(state(&service, id).await.0, "NEW");
    // A rejected message does not hold up the next one of its key.
    let mut bad = succeeded(id);
    bad.kind = "unknown".to_owned();
    assert_eq!(statuses(&service.receive(&[bad, succeeded(id)]).await), ["rejected", "applied"]);
}

#[tokio::test]
async fn a_failure_blocks_its_key_only_and_is_retried() {
    let service = Service::start("orders_retry").await;
    let (stuck, free) = (service.order(1, 5).await, service.order(1, 5).await);
    // A fault of the schema fails the statement as an unfinished migration would.
    service
        .execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'not now'; END $$",
            &[],
        )
        .await;
    let trigger = format!(
        "CREATE TRIGGER fail BEFORE UPDATE ON orders FOR EACH ROW WHEN (OLD.id = '{stuck}') \
         EXECUTE FUNCTION fail()"
    );
    service.execute(&trigger, &[]).await;
    let events = [succeeded(stuck), succeeded(stuck), succeeded(free)];
    let results = service.receive(&events).await;
    assert_eq!(statuses(&results), ["retry", "retry", "applied"]);
    assert!(results[0]["reason"].as_str().unwrap().contains("not now"), "{results:?}");

    service.execute("DROP TRIGGER fail ON orders", &[]).await;
    let results = service.receive(&events).await;
    assert_eq!(statuses(&results), ["applied", "applied", "duplicate"]);
    assert_eq!(state(&service, stuck).await.0, "FINISHED");
}

#[tokio::test]
async fn an_outage_of_the_database_leaves_events_without_a_result() {
    let service = Service::start("orders_outage").await;
    let id = service.order(1, 5).await;
    service
        .execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'shutting down' USING ERRCODE = '57P01'; END $$",
            &[],
        )
        .await;
    let trigger =
        "CREATE TRIGGER fail BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION fail()";
    service.execute(trigger, &[]).await;
    let events = [succeeded(id), succeeded(id)];
    // Without a result the sidecar counts no attempt against them.
    assert!(service.receive(&events).await.is_empty());

    service.execute("DROP TRIGGER fail ON orders", &[]).await;
    assert_eq!(statuses(&service.receive(&events).await), ["applied", "applied"]);
}

#[tokio::test]
async fn a_batch_may_be_larger_than_a_request() {
    let service = Service::start("orders_large_batch").await;
    let id = service.order(1, 5).await;
    let mut event = succeeded(id);
    event.data["note"] = "a".repeat(10 * MAX_BODY).into();
    assert_eq!(statuses(&service.receive(&[event]).await), ["applied"]);
}

#[tokio::test]
async fn a_dead_message_is_not_applied() {
    let service = Service::start("orders_dead").await;
    let id = service.order(1, 5).await;
    let event = succeeded(id);
    service
        .execute(
            "INSERT INTO inbox (message_id, topic, partition, kafka_offset, dead_at) \
             VALUES ($1, 't', 0, 0, now())",
            &[&event.id],
        )
        .await;
    assert_eq!(statuses(&service.receive(&[event]).await), ["duplicate"]);
    assert_eq!(state(&service, id).await.0, "NEW");
}

#[tokio::test]
async fn a_body_that_is_no_batch_is_a_problem() {
    let service = Service::start("orders_no_batch").await;
    for body in ["", "{}", "[1]"] {
        service.deliver(body).await.assert_problem(400, "");
    }
    assert_eq!(service.deliver("[]").await.text, r#"{"results":[]}"#);
    let unreadable = r#"[{"specversion":"1.0","id":"x","type":"payment.succeeded"}]"#;
    assert_eq!(service.deliver(unreadable).await.json()["results"][0]["status"], "rejected");
}

#[tokio::test]
async fn each_new_status_is_told_once_to_whoever_listens() {
    let service = Service::start("orders_events").await;
    let (paid, poor) = (service.order(7, 5).await, service.order(8, 5).await);
    let event = succeeded(paid);
    service.receive(&[event.clone(), failed(poor)]).await;
    service.receive(&[event, succeeded(paid)]).await;
    let sql = "SELECT type, aggregate_id, payload, headers->>'traceparent' FROM events \
               ORDER BY aggregate_id, position";
    let rows = service.rows(sql, &[]).await;
    let told: Vec<(String, String, Value)> =
        rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let expected = [
        ("order.created", "7", paid, "NEW", Value::Null),
        ("order.finished", "7", paid, "FINISHED", Value::Null),
        ("order.created", "8", poor, "NEW", Value::Null),
        ("order.cancelled", "8", poor, "CANCELLED", json!("insufficient_funds")),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((kind, key, payload), (expected_kind, user, id, status, reason)) in
        told.iter().zip(expected)
    {
        assert_eq!((kind.as_str(), key.as_str()), (expected_kind, user));
        assert_eq!(payload["order_id"], json!(id));
        assert_eq!(payload["user_id"].to_string(), user);
        assert_eq!((&payload["status"], &payload["reason"]), (&json!(status), &reason));
        assert_eq!(payload["amount"], json!(5));
        assert!(payload["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    }
    let finished: String = rows[1].get(3);
    assert!(finished.contains(crate::harness::TRACE_ID), "{finished}");
}
