//! Payload formats, and headers from columns.

use rdkafka::Message as _;
use serde_json::{Value, json};

use crate::harness::{Bench, header, key};

const ROW: &str = r#"
INSERT INTO outbox (aggregate_id, type, payload, headers, created_at)
VALUES ('order-1', 'order.placed', '{"amount": 12.50}', '{"traceparent": "00-ab"}', '2026-11-25 09:00:00.5+01')
RETURNING id::text"#;

/// Publishes one row with these fields of an outbox; returns its id and the record.
async fn publish(bench: &Bench, fields: Value) -> (String, rdkafka::message::OwnedMessage) {
    let mut outbox = json!({ "name": "things", "table": "outbox", "topic": bench.topic });
    outbox.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let id = bench.client.query_one(ROW, &[]).await.unwrap().get(0);
    let _sidecar = bench.start(&bench.config(json!({ "outboxes": [outbox] }))).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    (id, listener.received.remove(0))
}

#[tokio::test]
async fn a_binary_cloud_event_has_its_attributes_in_headers() {
    let bench = Bench::new("cebinary").await;
    let (id, record) = publish(
        &bench,
        json!({ "payload": { "format": "cloudEventsBinary", "source": "/shop/{aggregate_type}" } }),
    )
    .await;
    assert_eq!(record.payload().unwrap(), br#"{"amount": 12.50}"#);
    assert_eq!(key(&record), "order-1");
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", id.as_str()),
        ("id", id.as_str()),
        ("ce_source", "/shop/thing"),
        ("ce_type", "order.placed"),
        ("ce_subject", "order-1"),
        ("ce_time", "2026-11-25T08:00:00.500000Z"),
        ("ce_traceparent", "00-ab"),
        ("traceparent", "00-ab"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(header(&record, name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_structured_cloud_event_is_one_json_object() {
    let bench = Bench::new("cestructured").await;
    let (id, record) =
        publish(&bench, json!({ "payload": { "format": "cloudEventsStructured" } })).await;
    assert_eq!(header(&record, "content-type").as_deref(), Some("application/cloudevents+json"));
    let event: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
    let expected = json!({
        "specversion": "1.0", "id": id, "source": "/things", "type": "order.placed", "subject": "order-1",
        "time": "2026-11-25T08:00:00.500000Z", "traceparent": "00-ab",
        "datacontenttype": "application/json", "data": { "amount": 12.50 },
    });
    assert_eq!(event, expected);
}

#[tokio::test]
async fn headers_and_the_records_time_come_from_columns() {
    let bench = Bench::new("headercolumns").await;
    let (_, record) = publish(
        &bench,
        json!({
            "headers": { "kind": "{aggregate_type}", "app": "shop", "place": "{position}/{bucket}" },
            "recordTime": "createdAt", "payload": { "format": "json" },
        }),
    )
    .await;
    assert_eq!(header(&record, "kind").as_deref(), Some("thing"));
    assert_eq!(header(&record, "app").as_deref(), Some("shop"));
    assert!(header(&record, "place").unwrap().starts_with("1/"));
    assert_eq!(record.timestamp().to_millis(), Some(1_795_593_600_500));
}
