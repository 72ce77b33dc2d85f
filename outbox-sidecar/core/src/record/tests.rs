use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::Config;

fn mapping(outbox: Value) -> Mapping {
    let mut fields = json!({ "name": "orders", "table": "outbox", "topic": "orders" });
    fields.as_object_mut().unwrap().extend(outbox.as_object().unwrap().clone());
    let config = json!({
        "database": { "url": { "env": "U" } },
        "kafka": { "bootstrapServers": ["k:9092"] },
        "outboxes": [fields],
    });
    Mapping::new(&Config::parse(&config.to_string()).unwrap().outboxes[0])
}

fn row() -> Row<'static> {
    Row {
        id: Some("7"),
        key: Some("order-1"),
        event_type: Some("order.placed"),
        payload: Some(Stored::Json(br#"{"amount": 12.50}"#)),
        headers: Some(br#"{"traceparent": "00-ab", "retries": 3, "nothing": null}"#),
        time: Some("2026-11-25T08:00:00.000001Z"),
        ..Row::default()
    }
}

fn headers(record: &Record<'_>) -> HashMap<String, Option<String>> {
    let text = |header: &Header<'_>| header.value.as_ref().map(|value| value.to_string());
    record.headers.iter().map(|header| (header.name.to_string(), text(header))).collect()
}

fn header(record: &Record<'_>, name: &str) -> Option<String> {
    headers(record).get(name).cloned().flatten()
}

#[test]
fn a_raw_record_is_the_stored_bytes_with_id_type_and_headers() {
    let mapping = mapping(json!({}));
    let record = mapping.record(&row()).unwrap();
    assert_eq!((record.topic.as_ref(), record.key), ("orders", Some("order-1")));
    assert_eq!(record.value.as_deref(), Some(&br#"{"amount": 12.50}"#[..]));
    let expected = [
        ("id", Some("7")),
        ("type", Some("order.placed")),
        ("traceparent", Some("00-ab")),
        ("retries", Some("3")),
        ("nothing", None),
    ];
    let expected: HashMap<String, Option<String>> =
        expected.into_iter().map(|(n, v)| (n.to_owned(), v.map(str::to_owned))).collect();
    assert_eq!(headers(&record), expected);
}

#[test]
fn headers_come_from_constants_and_columns_and_a_null_column_has_none() {
    let mapping = mapping(json!({
        "headers": { "app": "billing", "tenant": "{tenant}", "path": "/{tenant}/{region}" },
    }));
    assert_eq!(mapping.columns().len(), 2);
    let values = |column: &ColumnName| (column.as_str() == "region").then_some("eu");
    let values = mapping.columns().iter().map(values).collect();
    let record = mapping.record(&Row { values, ..row() }).unwrap();
    assert_eq!(header(&record, "app").as_deref(), Some("billing"));
    assert_eq!(header(&record, "path").as_deref(), Some("//eu"));
    assert!(!headers(&record).contains_key("tenant"));
}

#[test]
fn what_is_configured_wins_over_what_the_row_brings() {
    let mapping = mapping(json!({ "headers": { "type": "fixed", "app": "billing" } }));
    let row = Row { headers: Some(br#"{"app": "evil", "id": "evil"}"#), ..row() };
    let record = mapping.record(&row).unwrap();
    assert_eq!(header(&record, "app").as_deref(), Some("billing"));
    assert_eq!(header(&record, "type").as_deref(), Some("fixed"));
    assert_eq!(header(&record, "id").as_deref(), Some("7"));
    assert_eq!(record.headers.len(), 3);
}

#[test]
fn json_says_so_and_refuses_what_is_none() {
    let mapping = mapping(json!({ "payload": { "format": "json" } }));
    let record = mapping.record(&row()).unwrap();
    assert_eq!(header(&record, "content-type").as_deref(), Some("application/json"));
    let bad = Row { payload: Some(Stored::Text(b"{not json")), ..row() };
    assert!(matches!(mapping.record(&bad), Err(Unfit::NotJson(_))));
}

#[test]
fn an_envelope_holds_the_payload_digit_for_digit() {
    let mapping = mapping(json!({
        "payload": { "format": "json", "envelope": { "eventType": "{type}", "tenant": "{tenant}" } },
    }));
    let values = vec![Some("order \"placed\""), None];
    let record = mapping.record(&Row { values, ..row() }).unwrap();
    assert_eq!(
        std::str::from_utf8(record.value.as_deref().unwrap()).unwrap(),
        r#"{"payload":{"amount": 12.50},"eventType":"order \"placed\"","tenant":null}"#
    );
}

#[test]
fn a_binary_cloud_event_has_its_attributes_in_headers() {
    let mapping = mapping(json!({
        "payload": { "format": "cloudEventsBinary", "source": "/shop/orders", "dataSchema": "urn:x" },
    }));
    let record = mapping.record(&row()).unwrap();
    assert_eq!(record.value.as_deref(), Some(&br#"{"amount": 12.50}"#[..]));
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_id", "7"),
        ("ce_source", "/shop/orders"),
        ("ce_type", "order.placed"),
        ("ce_subject", "order-1"),
        ("ce_time", "2026-11-25T08:00:00.000001Z"),
        ("ce_dataschema", "urn:x"),
        ("ce_traceparent", "00-ab"),
        ("content-type", "application/json"),
        ("id", "7"),
        ("traceparent", "00-ab"),
    ] {
        assert_eq!(header(&record, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn a_structured_cloud_event_embeds_its_data() {
    let mapping = mapping(json!({
        "payload": { "format": "cloudEventsStructured", "subject": "order/{number}" },
    }));
    let row = Row { values: vec![Some("1")], ..row() };
    let record = mapping.record(&row).unwrap();
    let text = std::str::from_utf8(record.value.as_deref().unwrap()).unwrap();
    assert!(text.contains(r#""data":{"amount": 12.50}"#), "{text}");
    let event: Value = serde_json::from_str(text).unwrap();
    let expected = json!({
        "specversion": "1.0", "id": "7", "source": "/orders", "type": "order.placed",
        "subject": "order/1", "time": "2026-11-25T08:00:00.000001Z", "traceparent": "00-ab",
        "datacontenttype": "application/json", "data": { "amount": 12.50 },
    });
    assert_eq!(event, expected);
    assert_eq!(header(&record, "content-type").as_deref(), Some("application/cloudevents+json"));
}

#[test]
fn data_that_are_no_json_are_text_or_base64() {
    let mapping = mapping(json!({ "payload": { "format": "cloudEventsStructured" } }));
    let event = |payload| {
        let record = mapping.record(&Row { payload: Some(payload), ..row() }).unwrap();
        serde_json::from_slice::<Value>(record.value.as_deref().unwrap()).unwrap()
    };
    let bytes = event(Stored::Bytes(&[0xff, 0]));
    assert_eq!(bytes["datacontenttype"], "application/octet-stream");
    assert_eq!((&bytes["data_base64"], bytes.get("data")), (&json!("/wA="), None));
    let text = event(Stored::Text(b"hello"));
    assert_eq!((&text["datacontenttype"], &text["data"]), (&json!("text/plain"), &json!("hello")));
}

#[test]
fn a_content_type_of_json_embeds_text_and_bytes_as_json() {
    let mapping = mapping(json!({
        "payload": { "format": "cloudEventsStructured", "contentType": "application/vnd.x+json; v=1" },
    }));
    let row = Row { payload: Some(Stored::Bytes(b"[1]")), ..row() };
    let record = mapping.record(&row).unwrap();
    let event: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
    assert_eq!(event["data"], json!([1]));
}

#[test]
fn a_cloud_event_without_id_or_type_is_poison() {
    let mapping = mapping(json!({ "payload": { "format": "cloudEventsBinary" } }));
    for (row, attribute) in [
        (Row { id: None, ..row() }, "id"),
        (Row { id: Some(""), ..row() }, "id"),
        (Row { event_type: None, ..row() }, "type"),
    ] {
        assert_eq!(mapping.record(&row), Err(Unfit::Attribute { attribute }));
    }
}

#[test]
fn a_null_payload_is_a_tombstone_in_every_format_and_an_empty_one_if_asked() {
    for format in ["raw", "json", "cloudEventsBinary", "cloudEventsStructured"] {
        let mapping = mapping(json!({ "payload": { "format": format, "emptyIsTombstone": true } }));
        for payload in [None, Some(Stored::Text(b""))] {
            let record = mapping.record(&Row { payload, ..row() }).unwrap();
            assert_eq!(record.value, None, "{format}");
            assert_eq!(header(&record, "id").as_deref(), Some("7"));
        }
    }
    let mapping = mapping(json!({}));
    let record = mapping.record(&Row { payload: Some(Stored::Text(b"")), ..row() }).unwrap();
    assert_eq!(record.value.as_deref(), Some(&b""[..]));
}

#[test]
fn headers_that_are_no_object_or_no_headers_are_poison() {
    let mapping = mapping(json!({}));
    for json in ["[7]", "7", "\"x\"", "{", r#"{"a\u0000": 1}"#] {
        let row = Row { headers: Some(json.as_bytes()), ..row() };
        let error = mapping.record(&row).unwrap_err();
        assert!(matches!(error, Unfit::Headers(_) | Unfit::HeaderName(_)), "{json}: {error}");
    }
    assert!(mapping.record(&Row { headers: Some(b"null"), ..row() }).is_ok());
}

#[test]
fn a_record_is_from_when_its_row_was_written_only_if_asked() {
    let row = Row { timestamp: Some(5), ..row() };
    assert_eq!(mapping(json!({})).record(&row).unwrap().timestamp, None);
    let asked = mapping(json!({ "recordTime": "createdAt" }));
    assert!(asked.needs_timestamp());
    assert_eq!(asked.record(&row).unwrap().timestamp, Some(5));
}

proptest! {
    /// Whatever a row holds, it becomes a record or a typed reason; a record's
    /// headers have different names without NUL, and raw values stay as they are.
    #[test]
    fn any_row_becomes_a_record_or_a_reason(
        id in proptest::option::of(".{0,8}"),
        event_type in proptest::option::of(".{0,8}"),
        payload in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..32)),
        headers in proptest::option::of(r#"(\{("[a-z\\u0]{1,6}": ?("x"|3|null),?){0,3}\}?|null|\[\])"#),
        format in proptest::sample::select(vec!["raw", "json", "cloudEventsBinary", "cloudEventsStructured"]),
        kind in 0..3,
    ) {
        let mapping = mapping(json!({ "payload": { "format": format }, "headers": { "x": "{x}" } }));
        let stored = payload.as_deref().map(|bytes| match kind {
            0 => Stored::Json(bytes),
            1 => Stored::Text(bytes),
            _ => Stored::Bytes(bytes),
        });
        let row = Row {
            id: id.as_deref(), event_type: event_type.as_deref(), payload: stored,
            headers: headers.as_deref().map(str::as_bytes), values: vec![Some("v")], ..Row::default()
        };
        if let Ok(record) = mapping.record(&row) {
            let mut names: Vec<_> = record.headers.iter().map(|header| &header.name).collect();
            prop_assert!(names.iter().all(|name| !name.contains('\0')));
            names.sort();
            prop_assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
            prop_assert_eq!(record.value.is_none(), payload.is_none());
            if format == "raw" {
                prop_assert_eq!(record.value.as_deref(), payload.as_deref());
            }
            if format == "cloudEventsStructured" && let Some(value) = &record.value {
                prop_assert!(serde_json::from_slice::<Value>(value).is_ok());
            }
        }
    }
}
