use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;
use test_support::wait;
use uuid::Uuid;

use crate::harness::{Application, Bench, PATIENCE, stored};

#[tokio::test]
async fn a_message_is_delivered_as_a_cloud_event_and_applied() {
    let bench = Bench::new("event").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let _sidecar = bench.start(&bench.inbox_config(&application)).await;
    let id = bench.send("order-1", 42).await;
    assert_eq!(bench.wait_for_effects(1).await, [("order-1".to_owned(), 42)]);
    let event = application.events.lock().unwrap()[0].clone();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["id"], id.to_string());
    assert_eq!(event["type"], "thing.happened");
    assert_eq!(event["subject"], "order-1");
    assert_eq!(event["source"], format!("/kafka/{}", bench.topic));
    assert_eq!(event["data"], json!({ "number": 42 }));
    let row = bench
        .client
        .query_one(
            "SELECT attempts, processed_at IS NOT NULL FROM inbox WHERE message_id = $1",
            &[&id],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, bool>(1)), (1, true));
}

/// By the record, not by what a header of that name says; and also if the message comes from
/// the table, after a restart.
#[tokio::test]
async fn an_event_tells_the_records_timestamp() {
    let bench = Bench::new("timestamp").await;
    bench.make_topic(1).await;
    let ready = Arc::new(AtomicBool::new(false));
    let takes = Arc::clone(&ready);
    let application = Application::answering(&bench, move |_| {
        if takes.load(Ordering::Relaxed) {
            ("applied", String::new())
        } else {
            ("retry", "not yet".into())
        }
    })
    .await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    let producer: FutureProducer = bench.kafka.client_config().create().unwrap();
    let forged = Header { key: "kafkatimestamp", value: Some("1999-12-31T23:59:59Z") };
    let at = jiff::Timestamp::now().as_millisecond() - 60_000;
    let told = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    let record = FutureRecord::to(&bench.topic)
        .key("a")
        .payload(r#"{"number":1}"#)
        .headers(OwnedHeaders::new().insert(forged))
        .timestamp(at);
    producer.send(record, PATIENCE).await.unwrap();
    let event = || application.events.lock().unwrap().last().cloned();
    let first = wait::until("the event is delivered", PATIENCE, || async { event() }).await;
    assert_eq!(first["kafkatimestamp"], told.as_str());

    sidecar.stop().await;
    ready.store(true, Ordering::Relaxed);
    let _sidecar = bench.start_another(&bench.inbox_config(&application)).await;
    bench.wait_for_effects(1).await;
    assert_eq!(event().unwrap()["kafkatimestamp"], told.as_str());
}

#[tokio::test]
async fn messages_of_a_key_are_applied_in_order_and_each_once() {
    let bench = Bench::new("order").await;
    bench.make_topic(3).await;
    let application = Application::start(&bench).await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    for number in 0..200 {
        bench.send(&format!("k{}", number % 5), number).await;
    }
    let effects = bench.wait_for_effects(200).await;
    assert_eq!(effects.len(), 200);
    for key in 0..5 {
        let numbers: Vec<_> = effects
            .iter()
            .filter(|(of, _)| *of == format!("k{key}"))
            .map(|(_, number)| *number)
            .collect();
        assert!(numbers.is_sorted() && numbers.len() == 40, "{key}: {numbers:?}");
    }
    let received =
        sidecar.metric("outbox_sidecar_inbox_received_total", &[("inbox", "things")]).await;
    assert_eq!(received, 200.0);
}

#[tokio::test]
async fn a_message_sent_twice_is_applied_once() {
    let bench = Bench::new("twice").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    let id = Uuid::new_v4();
    for _ in 0..3 {
        bench.send_raw(Some("a"), Some(br#"{"number": 1}"#), Some(id)).await;
    }
    bench.send("a", 2).await;
    assert_eq!(bench.wait_for_effects(2).await, [("a".to_owned(), 1), ("a".to_owned(), 2)]);
    assert_eq!(sidecar.metric("outbox_sidecar_inbox_duplicates_total", &[]).await, 2.0);
}

#[tokio::test]
async fn a_rejected_message_is_kept_with_its_reason_and_the_others_go_on() {
    let bench = Bench::new("reject").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, |event| {
        if event["data"]["number"] == 2 {
            ("rejected", "two is not a number we take".into())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    let _sidecar = bench.start(&bench.inbox_config(&application)).await;
    for number in 1..=3 {
        bench.send("a", number).await;
    }
    assert_eq!(bench.wait_for_effects(2).await, [("a".to_owned(), 1), ("a".to_owned(), 3)]);
    let dead = wait::until("the dead letter is marked", PATIENCE, || async {
        bench
            .client
            .query_opt("SELECT last_error, payload FROM inbox WHERE dead_at IS NOT NULL", &[])
            .await
            .unwrap()
    })
    .await;
    assert_eq!(dead.get::<_, &str>(0), "two is not a number we take");
    assert_eq!(dead.get::<_, &[u8]>(1), br#"{"number":2}"#);
}

#[tokio::test]
async fn bytes_that_are_no_json_are_kept_and_delivered_as_they_are() {
    let bench = Bench::new("bytes").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let _sidecar = bench.start(&bench.inbox_config(&application)).await;
    bench.send_raw(None, Some(b"\xff\x00{not json"), None).await;
    bench.send_raw(None, None, None).await;
    bench.wait_for_effects(2).await;
    let events = application.events.lock().unwrap();
    assert_eq!(events[0]["data_base64"], "/wB7bm90IGpzb24=");
    assert_eq!(events[1].get("data"), None, "a tombstone has no data");
    assert_ne!(events[0]["id"], events[1]["id"]);
}

#[tokio::test]
async fn a_failure_that_counts_ends_after_the_configured_attempts() {
    let bench = Bench::new("attempts").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, |event| {
        if event["data"]["number"] == 1 {
            ("retry", "try later".into())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    let mut config = bench.inbox_config(&application);
    stored(&mut config).deliver.maximum_attempts = Some(3);
    let _sidecar = bench.start(&config).await;
    bench.send("a", 1).await;
    bench.send("a", 2).await;
    bench.send("b", 3).await;
    let effects = bench.wait_for_effects(2).await;
    assert!(
        effects.contains(&("a".into(), 2)) && effects.contains(&("b".into(), 3)),
        "{effects:?}"
    );
    let row = bench
        .client
        .query_one("SELECT attempts, last_error FROM inbox WHERE dead_at IS NOT NULL", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i32>(0), 3);
    assert_eq!(row.get::<_, &str>(1), "gave up after 3 attempts: try later");
}
