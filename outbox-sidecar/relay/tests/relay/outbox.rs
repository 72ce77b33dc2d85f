use std::collections::HashMap;

use rdkafka::Message as _;
use test_support::wait;

use crate::harness::{Bench, PATIENCE, header, insert, key, number};

#[tokio::test]
async fn a_row_becomes_a_message_with_key_id_type_and_headers() {
    let bench = Bench::new("message").await;
    let sidecar = bench.start(&bench.outbox_config()).await;
    let row = bench
        .client
        .query_one(
            r#"INSERT INTO outbox (aggregate_id, type, payload, headers)
               VALUES ('order-1', 'order.placed', '{"amount": 999999999999999.9999}',
                       '{"traceparent": "00-ab", "retries": 3, "nothing": null}')
               RETURNING id::text"#,
            &[],
        )
        .await
        .unwrap();
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    let message = &listener.received[0];
    assert_eq!(key(message), "order-1");
    assert_eq!(message.payload().unwrap(), br#"{"amount": 999999999999999.9999}"#);
    let headers =
        ["id", "type", "traceparent", "retries", "nothing"].map(|name| header(message, name));
    let expected = [
        Some(row.get(0)),
        Some("order.placed".into()),
        Some("00-ab".into()),
        Some("3".into()),
        None,
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn the_topic_is_made_with_the_configured_partitions() {
    let bench = Bench::new("partitions").await;
    let mut config = bench.outbox_config();
    config.topics.partitions = 5;
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    sidecar.wake().await;
    bench.listen().wait_for(1).await;
    let client: rdkafka::consumer::BaseConsumer = bench.kafka.client_config().create().unwrap();
    let metadata =
        rdkafka::consumer::Consumer::fetch_metadata(&client, Some(&bench.topic), PATIENCE).unwrap();
    assert_eq!(metadata.topics()[0].partitions().len(), 5);
}

#[tokio::test]
async fn a_null_payload_is_a_tombstone() {
    let bench = Bench::new("tombstone").await;
    let _sidecar = bench.start(&bench.outbox_config()).await;
    bench.client.execute("INSERT INTO outbox (aggregate_id) VALUES ('gone')", &[]).await.unwrap();
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(listener.received[0].payload(), None);
}

#[tokio::test]
async fn a_template_routes_by_column() {
    let bench = Bench::new("template").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].topic = format!("{}.{{aggregate_type}}", bench.topic).parse().unwrap();
    let _sidecar = bench.start(&config).await;
    bench.add("a", 7).await;
    let mut listener =
        crate::harness::Listener::new(bench.kafka.bootstrap(), &format!("{}.thing", bench.topic));
    listener.wait_for(1).await;
    assert_eq!(number(&listener.received[0]), 7);
}

#[tokio::test]
async fn a_late_commit_is_published_and_holds_up_nobody() {
    let bench = Bench::new("late").await;
    let sidecar = bench.start(&bench.outbox_config()).await;
    let mut slow = bench.database.connect().await.unwrap();
    let transaction = slow.transaction().await.unwrap();
    insert(&transaction, "slow", 1).await;
    bench.add("fast", 2).await;
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(key(&listener.received[0]), "fast", "the open transaction holds up nobody");
    transaction.commit().await.unwrap();
    sidecar.wake().await;
    listener.wait_for(2).await;
    assert_eq!(key(&listener.received[1]), "slow", "and its own row is not skipped");
}

#[tokio::test]
async fn rows_of_a_transaction_rolled_back_are_never_published() {
    let bench = Bench::new("rollback").await;
    let _sidecar = bench.start(&bench.outbox_config()).await;
    let mut client = bench.database.connect().await.unwrap();
    let transaction = client.transaction().await.unwrap();
    insert(&transaction, "undone", 1).await;
    transaction.rollback().await.unwrap();
    bench.add("done", 2).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(key(&listener.received[0]), "done");
}

/// Writers that lock their key, roll back now and then, and keep transactions
/// open for a while, against chunks that are far smaller than the backlog.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_lose_nothing_and_keep_their_order() {
    const WRITERS: i32 = 8;
    const TRANSACTIONS: i32 = 40;
    const KEYS: i32 = 5;
    let bench = Bench::new("writers").await;
    bench
        .client
        .batch_execute(
            "CREATE TABLE aggregate (key text PRIMARY KEY, version int NOT NULL DEFAULT 0);
             INSERT INTO aggregate SELECT 'k' || n FROM generate_series(0, 4) AS n",
        )
        .await
        .unwrap();
    let mut config = bench.outbox_config();
    config.outboxes[0].chunk.rows = 7;
    let sidecar = bench.start(&config).await;

    let writers = (0..WRITERS).map(|writer| {
        let database = &bench.database;
        async move {
            let mut client = database.connect().await.unwrap();
            for turn in 0..TRANSACTIONS {
                let transaction = client.transaction().await.unwrap();
                let key = format!("k{}", (writer * 7 + turn * 3) % KEYS);
                // Some transactions have an old xid by the time they insert.
                if turn % 4 == 0 {
                    transaction.execute("SELECT pg_current_xact_id()", &[]).await.unwrap();
                    transaction.execute("SELECT pg_sleep(0.02)", &[]).await.unwrap();
                }
                for _ in 0..=(turn % 3) {
                    let version: i32 = transaction
                        .query_one("UPDATE aggregate SET version = version + 1 WHERE key = $1 RETURNING version", &[&key])
                        .await
                        .unwrap()
                        .get(0);
                    insert(&transaction, &key, version).await;
                }
                if turn % 5 == 4 {
                    transaction.rollback().await.unwrap();
                } else {
                    transaction.commit().await.unwrap();
                }
            }
        }
    });
    futures::future::join_all(writers).await;
    sidecar.wake().await;

    let rows = bench
        .client
        .query(
            "SELECT aggregate_id, (payload->>'number')::bigint FROM outbox ORDER BY position",
            &[],
        )
        .await
        .unwrap();
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for row in &rows {
        expected.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut listener = bench.listen();
    listener.wait_for(rows.len()).await;
    assert_eq!(
        listener.received.len(),
        rows.len(),
        "nothing is published twice when nothing fails"
    );
    assert_eq!(listener.first_by_key(), expected);
    for versions in expected.values() {
        assert!(versions.is_sorted(), "the test's own writers serialise on their key");
    }
}

#[tokio::test]
async fn a_row_too_large_for_the_broker_is_set_aside_and_the_others_go_on() {
    let bench = Bench::new("poison").await;
    let sidecar = bench.start(&bench.impatient_config()).await;
    bench
        .client
        .execute(
            "INSERT INTO outbox (aggregate_id, payload) VALUES ('big', jsonb_build_object('x', repeat('y', 2000000)))",
            &[],
        )
        .await
        .unwrap();
    bench.add("big", 1).await;
    bench.add("small", 2).await;
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(2).await;
    let dead = wait::until("the dead letter is stored", PATIENCE, || async {
        bench
            .client
            .query_opt("SELECT key, reason FROM outbox_sidecar.dead_letter", &[])
            .await
            .unwrap()
    })
    .await;
    assert_eq!(dead.get::<_, &str>(0), "big");
    assert!(
        dead.get::<_, &str>(1).contains("Message size too large"),
        "{}",
        dead.get::<_, &str>(1)
    );
    assert_eq!(
        listener.first_by_key(),
        HashMap::from([("big".into(), vec![1]), ("small".into(), vec![2])])
    );
}

#[tokio::test]
async fn metrics_and_status_tell_what_was_published() {
    let bench = Bench::new("metrics").await;
    let sidecar = bench.start(&bench.outbox_config()).await;
    for number in 0..5 {
        bench.add("a", number).await;
    }
    sidecar.wake().await;
    wait::until("five rows are counted", PATIENCE, || async {
        let published =
            sidecar.metric("outbox_sidecar_outbox_published_total", &[("outbox", "things")]).await;
        (published == 5.0).then_some(())
    })
    .await;
    let status = sidecar.status().await;
    let outbox = &status["outboxes"]["things"];
    assert_eq!(
        (outbox["published"].as_u64(), outbox["leasedBuckets"].as_u64()),
        (Some(5), Some(8)),
        "{status}"
    );
    assert_eq!(outbox["waitingFor"], serde_json::Value::Null);
    assert!(
        sidecar.metric("outbox_sidecar_outbox_publish_latency_seconds_count", &[]).await >= 1.0
    );
}
