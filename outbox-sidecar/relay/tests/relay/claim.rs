//! Tables without an `xid8` column: rows are deleted or marked when published.

use std::{collections::HashMap, time::Duration};

use outbox_sidecar::{
    database::table::check_outbox,
    error::Error,
    outbox::{
        claim::RowId,
        lease::{Lane, Leases},
        retention::purge_outbox,
        source::Source,
    },
};
use outbox_sidecar_core::config::Config;
use rdkafka::Message as _;
use serde_json::{Value, json};
use test_support::wait;
use tokio_postgres::GenericClient;

use crate::harness::{Bench, Listener, PATIENCE, header, key, pool};

/// As little as there can be: an order, an identity, a key and a payload.
const TABLE: &str = "
CREATE TABLE event (
    number  bigint GENERATED ALWAYS AS IDENTITY,
    id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key     text,
    payload jsonb
);
CREATE INDEX ON event (number);
";

/// A configuration for such a table, with further fields.
fn config(bench: &Bench, more: Value) -> Config {
    let mut outbox = json!({
        "name": "things", "table": "event", "topic": bench.topic, "engine": "claim",
        "columns": { "position": "number", "key": "key", "type": null, "headers": null, "createdAt": null },
    });
    outbox.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.config(json!({ "outboxes": [outbox] }))
}

async fn bench(label: &str) -> Bench {
    let bench = Bench::new(label).await;
    bench.client.batch_execute(TABLE).await.unwrap();
    bench
}

async fn add(client: &impl GenericClient, key: &str, number: i32) {
    let sql =
        "INSERT INTO event (key, payload) VALUES ($1, jsonb_build_object('number', $2::int4))";
    client.execute(sql, &[&key, &number]).await.unwrap();
}

async fn count(bench: &Bench, condition: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM event WHERE {condition}");
    bench.client.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn wait_for_rows(bench: &Bench, condition: &str, rows: i64) {
    wait::until(&format!("{rows} rows are there with {condition}"), PATIENCE, || async {
        (count(bench, condition).await == rows).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_published_row_is_deleted() {
    let bench = bench("claim").await;
    let sidecar = bench.start(&config(&bench, json!({}))).await;
    for number in 0..10 {
        add(&bench.client, "a", number).await;
    }
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(10).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), (0..10).collect())]));
    wait_for_rows(&bench, "true", 0).await;
    assert_eq!(listener.received.len(), 10, "nothing is published twice when nothing fails");
}

#[tokio::test]
async fn rows_without_a_key_are_published_too() {
    let bench = bench("keyless").await;
    bench.client.execute("INSERT INTO event (payload) VALUES ('{}')", &[]).await.unwrap();
    let _sidecar = bench.start(&config(&bench, json!({}))).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(listener.received[0].key(), None);
    wait_for_rows(&bench, "true", 0).await;
}

/// Writers that lock their key, roll back now and then, and keep transactions open
/// for a while, against chunks that are far smaller than the backlog; two relays,
/// of which one is killed in the middle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_and_relays_lose_nothing_and_keep_their_order() {
    const WRITERS: i32 = 6;
    const TRANSACTIONS: i32 = 30;
    let bench = bench("claimers").await;
    bench
        .client
        .batch_execute(
            "CREATE TABLE aggregate (key text PRIMARY KEY, version int NOT NULL DEFAULT 0);
             INSERT INTO aggregate SELECT 'k' || n FROM generate_series(0, 4) AS n",
        )
        .await
        .unwrap();
    let more = json!({ "chunk": { "rows": 7 }, "lease": "1s" });
    let first = bench.start(&config(&bench, more.clone())).await;
    let _second = bench.start(&config(&bench, more)).await;

    let writers = (0..WRITERS).map(|writer| {
        let database = &bench.database;
        async move {
            let mut client = database.connect().await.unwrap();
            for turn in 0..TRANSACTIONS {
                let transaction = client.transaction().await.unwrap();
                let key = format!("k{}", (writer * 7 + turn * 3) % 5);
                if turn % 4 == 0 {
                    transaction.execute("SELECT pg_sleep(0.02)", &[]).await.unwrap();
                }
                for _ in 0..=(turn % 3) {
                    let sql = "UPDATE aggregate SET version = version + 1 WHERE key = $1 RETURNING version";
                    let version = transaction.query_one(sql, &[&key]).await.unwrap().get(0);
                    add(&transaction, &key, version).await;
                }
                if turn % 5 == 4 {
                    transaction.rollback().await.unwrap();
                } else {
                    transaction.commit().await.unwrap();
                }
            }
        }
    });
    let (_, ()) = tokio::join!(futures::future::join_all(writers), async {
        bench.listen().wait_for(20).await;
        first.process.kill().await;
    });
    let rows = bench.client.query("SELECT key, version FROM aggregate", &[]).await.unwrap();
    let expected: HashMap<String, Vec<i64>> = rows
        .iter()
        .map(|row| (row.get(0), (1..=i64::from(row.get::<_, i32>(1))).collect()))
        .collect();
    let mut listener = bench.listen();
    listener.wait_for(expected.values().map(Vec::len).sum()).await;
    assert_eq!(listener.first_by_key(), expected);
    wait_for_rows(&bench, "true", 0).await;
}

#[tokio::test]
async fn a_late_commit_is_published_and_holds_up_nobody() {
    let bench = bench("claimlate").await;
    let sidecar = bench.start(&config(&bench, json!({}))).await;
    let mut slow = bench.database.connect().await.unwrap();
    let transaction = slow.transaction().await.unwrap();
    add(&transaction, "slow", 1).await;
    add(&bench.client, "fast", 2).await;
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(key(&listener.received[0]), "fast");
    transaction.commit().await.unwrap();
    sidecar.wake().await;
    listener.wait_for(2).await;
    assert_eq!(key(&listener.received[1]), "slow");
}

#[tokio::test]
async fn a_relay_that_lost_its_lease_can_neither_delete_nor_mark() {
    let bench = bench("claimstale").await;
    add(&bench.client, "a", 1).await;
    let pool = pool(&bench);
    outbox_sidecar::database::prepare(&pool).await.unwrap();
    let open = || Leases::open(pool.clone(), "things", 2, Duration::from_secs(5));
    let mut stale = open().await.unwrap();
    stale.acquire().await.unwrap();
    let lane = stale.lanes().remove(0);
    // It sleeps until its leases have run out, and another relay takes them.
    for table in ["cursor", "relay"] {
        let expire =
            format!("UPDATE outbox_sidecar.{table} SET expires_at = now() - interval '1 second'");
        bench.client.execute(&expire, &[]).await.unwrap();
    }
    let mut other = open().await.unwrap();
    assert_eq!(other.acquire().await.unwrap(), 2);

    let id: String =
        bench.client.query_one("SELECT id::text FROM event", &[]).await.unwrap().get(0);
    let outbox = &config(&bench, json!({})).outboxes[0];
    let table = check_outbox(&pool.get().await.unwrap(), outbox).await.unwrap();
    let source = Source::new(outbox, &table, None);
    let rows = [RowId { position: 1, id: id.clone() }];
    let settlement = source.settlement(outbox, Vec::new(), Vec::new(), &rows);
    let result = stale.advance(&lane, &lane.cursor, Some(&settlement)).await;
    assert!(matches!(result, Err(Error::LeaseLost { .. })), "{result:?}");
    // As a part of the statement that stores the cursor; also where one bucket is still held.
    let held = other.lanes().remove(0);
    let partly = Lane { epochs: vec![held.epochs[0], 1], ..held.clone() };
    for (leases, lane) in [(&stale, &lane), (&other, &partly)] {
        let retiring = source.retire().map(|retire| (retire.clone(), vec![rows.clone().into()]));
        let result = leases.store(lane, &lane.cursor, retiring).await;
        assert!(matches!(result, Err(Error::LeaseLost { .. })), "{result:?}");
    }
    assert_eq!(count(&bench, "true").await, 1);
    let retiring = source.retire().map(|retire| (retire.clone(), vec![rows.into()]));
    other.store(&held, &held.cursor, retiring).await.unwrap();
    assert_eq!(count(&bench, "true").await, 0);
}

#[tokio::test]
async fn rows_that_another_tool_deletes_hold_up_nothing() {
    let bench = bench("claimgone").await;
    let sidecar = bench.start(&config(&bench, json!({ "chunk": { "rows": 3 } }))).await;
    add(&bench.client, "a", 0).await;
    wait_for_rows(&bench, "true", 0).await;
    // What the sidecar has published and waits to delete is gone by then.
    let mut tool = bench.database.connect().await.unwrap();
    let transaction = tool.transaction().await.unwrap();
    let lock = "SELECT FROM outbox_sidecar.cursor FOR UPDATE";
    transaction.execute(lock, &[]).await.unwrap();
    for number in 1..=20 {
        add(&bench.client, "a", number).await;
    }
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(4).await;
    transaction.execute("DELETE FROM event WHERE number % 2 = 0", &[]).await.unwrap();
    transaction.commit().await.unwrap();
    wait_for_rows(&bench, "true", 0).await;
}

#[tokio::test]
async fn a_poison_row_stays_and_the_others_go_on() {
    let bench = bench("claimpoison").await;
    add(&bench.client, "a", 1).await;
    let sql = "INSERT INTO event (key, payload)
               VALUES ('a', jsonb_build_object('number', 2, 'x', repeat('y', 2000000)))";
    bench.client.execute(sql, &[]).await.unwrap();
    add(&bench.client, "a", 3).await;
    let once = json!({ "poison": { "maximumAttempts": 1 } });
    let sidecar = bench.start(&config(&bench, once)).await;
    let mut listener = bench.listen();
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![1, 3])]));
    wait_for_rows(&bench, "true", 1).await;
    let sql = "SELECT message_id = (SELECT id::text FROM event), key, reason FROM outbox_sidecar.dead_letter";
    let dead = bench.client.query_one(sql, &[]).await.unwrap();
    assert!(dead.get::<_, bool>(0));
    assert_eq!(dead.get::<_, &str>(1), "a");
    assert!(dead.get::<_, &str>(2).contains("too large"), "{}", dead.get::<_, &str>(2));

    bench.client.batch_execute("UPDATE event SET payload = payload - 'x'").await.unwrap();
    let (code, text) = sidecar.command(&["dead-letters", "retry", "--all"]).await;
    assert_eq!((code, text.as_str()), (0, "1 dead letters sent on their way again\n"));
    listener.wait_for(3).await;
    wait_for_rows(&bench, "true", 0).await;
}

#[tokio::test]
async fn a_refused_row_holds_up_its_key_and_no_other() {
    let bench = bench("claimparks").await;
    bench.client.batch_execute("ALTER TABLE event ADD COLUMN kind text").await.unwrap();
    let backoff = json!({ "initialBackoff": "10ms", "maximumBackoff": "100ms", "maximumAttempts": 1_000_000 });
    // Positions that are no number: the order is that of the ids' times.
    let columns =
        json!({ "position": "id", "key": "key", "type": null, "headers": null, "createdAt": null });
    let topic = format!("{}-{{kind}}", bench.topic);
    let mut config =
        config(&bench, json!({ "poison": backoff, "columns": columns, "topic": topic }));
    config.topics.create = false;
    bench.kafka.create_topic(&format!("{}-known", bench.topic), 1).await.unwrap();
    let sql = "INSERT INTO event (id, key, kind, payload)
               SELECT ('00000000-0000-0000-0000-0000000000' || 10 + n)::uuid, k, kind, jsonb_build_object('number', n)
               FROM (VALUES (0, 'a', 'known'), (1, 'a', 'late'), (2, 'b', 'known'), (3, 'a', 'known'), (4, 'a', 'late'),
                            (5, 'b', 'known'), (6, 'c', 'late'), (7, 'd', 'known')) AS v(n, k, kind)";
    bench.client.execute(sql, &[]).await.unwrap();
    let sidecar = bench.start(&config).await;
    let listener =
        |kind: &str| Listener::new(bench.kafka.bootstrap(), &format!("{}-{kind}", bench.topic));
    let mut known = listener("known");
    known.wait_for(4).await;
    let b = known.first_by_key().remove("b");
    assert_eq!((known.first_by_key()["a"].clone(), b), (vec![0], Some(vec![2, 5])));
    wait::until("the first rows of two keys are parked, and no other", PATIENCE, || async {
        let sql = "SELECT count(*) FROM outbox_sidecar.parked";
        (bench.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 2).then_some(())
    })
    .await;
    assert_eq!(count(&bench, "true").await, 4, "what is not published stays in the table");

    bench.kafka.create_topic(&format!("{}-late", bench.topic), 1).await.unwrap();
    let mut late = listener("late");
    late.wait_for(3).await;
    assert_eq!(late.first_by_key()["a"], [1, 4]);
    known.wait_for(5).await;
    assert_eq!(known.first_by_key()["a"], [0, 3]);
    wait_for_rows(&bench, "true", 0).await;
    sidecar.stop().await;
}

#[tokio::test]
async fn a_dead_letter_that_is_skipped_is_deleted_and_never_read_again() {
    let bench = bench("claimskip").await;
    let sql = "INSERT INTO event (key, payload)
               VALUES ('a', jsonb_build_object('number', 1, 'x', repeat('y', 2000000)))";
    bench.client.execute(sql, &[]).await.unwrap();
    add(&bench.client, "a", 2).await;
    let once = json!({ "poison": { "maximumAttempts": 1 } });
    let sidecar = bench.start(&config(&bench, once)).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    wait_for_rows(&bench, "true", 1).await;
    let (code, text) = sidecar.command(&["dead-letters", "skip", "--all"]).await;
    assert_eq!((code, text.as_str()), (0, "1 dead letters settled\n"));
    wait_for_rows(&bench, "true", 0).await;
    add(&bench.client, "a", 3).await;
    sidecar.wake().await;
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![2, 3])]));
}

#[tokio::test]
async fn a_published_row_is_marked_by_a_time_and_deleted_after_the_retention() {
    let bench = bench("claimtime").await;
    bench.client.batch_execute("ALTER TABLE event ADD COLUMN sent timestamptz").await.unwrap();
    let config = config(
        &bench,
        json!({ "claim": { "onPublished": "mark", "publishedAt": "sent" }, "retention": "1h" }),
    );
    let sidecar = bench.start(&config).await;
    for number in 0..4 {
        add(&bench.client, "a", number).await;
    }
    bench.listen().wait_for(4).await;
    wait_for_rows(&bench, "sent IS NOT NULL", 4).await;
    sidecar.stop().await;
    add(&bench.client, "a", 4).await;
    let old =
        "UPDATE event SET sent = sent - interval '2 hours' WHERE (payload->>'number')::int < 3";
    bench.client.execute(old, &[]).await.unwrap();
    let pool = pool(&bench);
    assert_eq!(
        purge_outbox(&pool, &config.outboxes[0], &config.outboxes[0].table).await.unwrap(),
        (3, false)
    );
    assert_eq!(count(&bench, "true").await, 2, "the young one and the one that waits stay");
}

#[tokio::test]
async fn a_published_row_is_marked_by_a_value_and_other_values_are_left_alone() {
    let bench = bench("claimstatus").await;
    bench
        .client
        .batch_execute(
            "CREATE TYPE state AS ENUM ('new', 'held', 'done');
             ALTER TABLE event ADD COLUMN state state NOT NULL DEFAULT 'new';
             INSERT INTO event (key, payload, state) VALUES ('a', '{\"number\": 9}', 'held')",
        )
        .await
        .unwrap();
    let status = json!({ "column": "state", "pending": ["new"], "published": "done" });
    let more = json!({ "claim": { "onPublished": "mark", "status": status } });
    let _sidecar = bench.start(&config(&bench, more)).await;
    add(&bench.client, "a", 1).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    wait_for_rows(&bench, "state = 'done'", 1).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![1])]));
    assert_eq!(count(&bench, "state = 'held'").await, 1);
}

#[tokio::test]
async fn times_that_are_equal_are_ordered_by_id() {
    let bench = bench("claimties").await;
    bench
        .client
        .batch_execute(
            "ALTER TABLE event ADD COLUMN at timestamp NOT NULL DEFAULT '2026-01-01', ALTER COLUMN id DROP DEFAULT,
                               ALTER COLUMN id TYPE varchar(20) USING 'x';
             INSERT INTO event (id, key, payload) SELECT 'id-' || 100 + n, 'a', jsonb_build_object('number', n)
             FROM generate_series(0, 49) AS n ORDER BY md5(n::text)",
        )
        .await
        .unwrap();
    let columns =
        json!({ "position": "at", "key": "key", "type": null, "headers": null, "createdAt": "at" });
    let more = json!({ "columns": columns, "chunk": { "rows": 4 } });
    let _sidecar = bench.start(&config(&bench, more)).await;
    let mut listener = bench.listen();
    listener.wait_for(50).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), (0..50).collect())]));
    wait_for_rows(&bench, "true", 0).await;
}

#[tokio::test]
async fn a_table_that_tells_no_times_has_no_ages() {
    let bench = bench("claimages").await;
    let sidecar = bench.start(&config(&bench, json!({}))).await;
    add(&bench.client, "a", 1).await;
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(header(&listener.received[0], "type"), None);
    wait_for_rows(&bench, "true", 0).await;
    let text = sidecar.metrics().await;
    assert!(text.contains("outbox_sidecar_outbox_pending_rows{outbox=\"things\"}"), "{text}");
    assert!(!text.contains("outbox_oldest_pending_age_seconds{"), "{text}");
    let status = sidecar.status().await;
    assert_eq!(status["outboxes"]["things"]["oldestPendingAgeSeconds"], Value::Null);
}

#[tokio::test]
async fn a_table_that_cannot_be_claimed_is_explained_with_what_mends_it() {
    let bench = bench("claimunfit").await;
    bench
        .client
        .batch_execute(
            "ALTER TABLE event DROP CONSTRAINT event_pkey, ALTER COLUMN id DROP NOT NULL, DROP COLUMN number",
        )
        .await
        .unwrap();
    let sidecar = bench.start(&config(&bench, json!({}))).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    for part in [
        "ALTER TABLE \"event\" ADD COLUMN \"number\" bigint GENERATED ALWAYS AS IDENTITY;",
        "ALTER TABLE \"event\" ALTER COLUMN \"id\" SET NOT NULL;",
        "CREATE UNIQUE INDEX ON \"event\" (\"id\");",
    ] {
        assert!(waiting.contains(part), "{waiting} does not say {part}");
    }
}
