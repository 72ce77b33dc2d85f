//! Tables of other tools, relayed with nothing but configuration.

use std::collections::HashMap;

use rdkafka::Message as _;
use serde_json::json;
use test_support::wait;

use crate::harness::{Bench, Listener, PATIENCE, header, key};

/// As Debezium's documentation has it.
const DEBEZIUM: &str = "
CREATE TABLE outboxevent (
    id            uuid NOT NULL PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL,
    aggregateid   varchar(255) NOT NULL,
    type          varchar(255) NOT NULL,
    payload       jsonb
);
";

/// As Open Outbox's documentation has it.
const OPEN_OUTBOX: &str = "
CREATE TABLE openoutbox_events (
    event_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_type    text NOT NULL,
    partition_key text,
    payload       bytea NOT NULL,
    headers       jsonb NOT NULL DEFAULT '{}',
    status        text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'DELIVERING', 'DELIVERED', 'DEAD')),
    attempts      integer NOT NULL DEFAULT 0,
    last_error    text,
    available_at  timestamptz NOT NULL DEFAULT now(),
    locked_by     text,
    locked_at     timestamptz,
    delivered_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
";

/// A row of Debezium's table, with a UUIDv7 of which each is greater than the last.
async fn add_debezium(bench: &Bench, key: &str, number: i32) {
    bench
        .client
        .execute(
            "INSERT INTO outboxevent
             SELECT (lpad(to_hex(1764000000000 + $3::int4), 12, '0') || '7000' || '8000' || lpad(to_hex($3::int4), 12, '0'))::uuid,
                    $1, $2, 'thing.happened', jsonb_build_object('number', $3::int4)",
            &[&bench.topic, &key, &number],
        )
        .await
        .unwrap();
}

async fn wait_for_empty(bench: &Bench, query: &str) {
    wait::until(query, PATIENCE, || async {
        bench.client.query(query, &[]).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_debezium_table_with_uuidv7_ids_needs_only_configuration() {
    let bench = Bench::new("debezium").await;
    bench.client.batch_execute(DEBEZIUM).await.unwrap();
    let config = bench.config(json!({ "outboxes": [{
        "name": "things", "table": "outboxevent", "preset": "debezium", "columns": { "position": "id" },
        "headers": { "eventType": "{type}" }, "chunk": { "rows": 4 },
    }] }));
    for number in 0..30 {
        add_debezium(&bench, ["a", "b", "c"][number as usize % 3], number).await;
    }
    let id: String = bench
        .client
        .query_one("SELECT id::text FROM outboxevent ORDER BY id LIMIT 1", &[])
        .await
        .unwrap()
        .get(0);
    let _sidecar = bench.start(&config).await;
    let topic = format!("outbox.event.{}", bench.topic);
    let mut listener = Listener::new(bench.kafka.bootstrap(), &topic);
    listener.wait_for(30).await;
    let expected: HashMap<String, Vec<i64>> = ["a", "b", "c"]
        .iter()
        .zip(0..)
        .map(|(key, first)| ((*key).to_owned(), (first..30).step_by(3).collect()))
        .collect();
    assert_eq!(listener.first_by_key(), expected);
    let first =
        listener.received.iter().find(|message| header(message, "id").as_ref() == Some(&id));
    let first = first.unwrap();
    assert_eq!((key(first).as_str(), first.topic()), ("a", topic.as_str()));
    assert_eq!(first.payload().unwrap(), br#"{"number": 0}"#);
    assert_eq!(header(first, "eventType").as_deref(), Some("thing.happened"));
    wait_for_empty(&bench, "SELECT 1 FROM outboxevent").await;
}

#[tokio::test]
async fn a_plain_debezium_table_is_told_how_to_get_an_order() {
    let bench = Bench::new("debeziumplain").await;
    bench.client.batch_execute(DEBEZIUM).await.unwrap();
    let config = bench.config(json!({ "outboxes": [{
        "name": "things", "table": "outboxevent", "preset": "debezium",
        "payload": { "format": "json", "envelope": { "eventType": "{type}" } },
    }] }));
    let sidecar = bench.start(&config).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    let statement =
        "ALTER TABLE \"outboxevent\" ADD COLUMN \"position\" bigint GENERATED ALWAYS AS IDENTITY;";
    assert!(waiting.contains(statement), "{waiting}");
    assert!(waiting.contains("UUIDv7"), "{waiting}");

    bench.client.batch_execute(statement).await.unwrap();
    let sql = "INSERT INTO outboxevent (id, aggregatetype, aggregateid, type, payload)
               SELECT gen_random_uuid(), $1, 'a', 'made', jsonb_build_object('number', n) FROM generate_series(1, 3) AS n";
    bench.client.execute(sql, &[&bench.topic]).await.unwrap();
    let mut listener =
        Listener::new(bench.kafka.bootstrap(), &format!("outbox.event.{}", bench.topic));
    listener.wait_for(3).await;
    let values: Vec<_> = listener
        .received
        .iter()
        .map(|message| String::from_utf8_lossy(message.payload().unwrap()).into_owned())
        .collect();
    let expected = |number| format!(r#"{{"payload":{{"number": {number}}},"eventType":"made"}}"#);
    assert_eq!(values, [expected(1), expected(2), expected(3)]);
}

#[tokio::test]
async fn an_open_outbox_table_needs_only_configuration() {
    let bench = Bench::new("openoutbox").await;
    bench.client.batch_execute(OPEN_OUTBOX).await.unwrap();
    let config = bench.config(json!({ "outboxes": [{
        "name": "things", "table": "openoutbox_events", "preset": "openOutbox",
    }] }));
    let sql = "INSERT INTO openoutbox_events (event_type, partition_key, payload, headers)
               SELECT $1, 'k' || n % 2, convert_to(jsonb_build_object('number', n)::text, 'UTF8'), '{\"tenant\": \"acme\"}'
               FROM generate_series(0, 19) AS n";
    bench.client.execute(sql, &[&bench.topic]).await.unwrap();
    let dead =
        "INSERT INTO openoutbox_events (event_type, payload, status) VALUES ($1, 'x', 'DEAD')";
    bench.client.execute(dead, &[&bench.topic]).await.unwrap();
    let _sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(20).await;
    let expected: HashMap<String, Vec<i64>> =
        (0..2).map(|key| (format!("k{key}"), (key..20).step_by(2).collect())).collect();
    assert_eq!(listener.first_by_key(), expected);
    let message = &listener.received[0];
    assert_eq!(header(message, "tenant").as_deref(), Some("acme"));
    assert_eq!(header(message, "type").as_deref(), Some(bench.topic.as_str()));
    let waits = "SELECT 1 FROM openoutbox_events
                 WHERE (status = 'DELIVERED') <> (delivered_at IS NOT NULL) OR status = 'PENDING'";
    wait_for_empty(&bench, waits).await;
    let states = "SELECT count(*) FILTER (WHERE status = 'DELIVERED'), count(*) FILTER (WHERE status = 'DEAD')
                  FROM openoutbox_events";
    let row = bench.client.query_one(states, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (20, 1));
}
