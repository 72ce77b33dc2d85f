use std::collections::HashMap;

use test_support::{kafka::Broker, postgres::Cluster, proxy::Proxy, wait};

use crate::harness::{Bench, Listener, PATIENCE, Sidecar};

async fn add_many(bench: &Bench, from: i32, to: i32) {
    bench
        .client
        .execute(
            "INSERT INTO outbox (aggregate_id, payload)
             SELECT 'k' || n % 7, jsonb_build_object('number', n) FROM generate_series($1::int4, $2::int4 - 1) AS n ORDER BY n",
            &[&from, &to],
        )
        .await
        .unwrap();
}

fn in_order(from: i64, to: i64) -> HashMap<String, Vec<i64>> {
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for number in from..to {
        expected.entry(format!("k{}", number % 7)).or_default().push(number);
    }
    expected
}

#[tokio::test]
async fn kill_9_while_draining_loses_nothing_and_keeps_order() {
    let bench = Bench::new("kill").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].chunk.rows = 50;
    config.outboxes[0].lease = "1s".parse().unwrap();
    add_many(&bench, 0, 3_000).await;
    let mut listener = bench.listen();
    for round in 1..=4 {
        let sidecar = bench.start(&config).await;
        listener.wait_for(round * 500).await;
        sidecar.process.kill().await;
    }
    let _sidecar = bench.start(&config).await;
    listener.wait_for(3_000).await;
    assert_eq!(listener.first_by_key(), in_order(0, 3_000));
}

#[tokio::test]
async fn a_second_relay_takes_over_from_one_that_was_killed() {
    let bench = Bench::new("takeover").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "2s".parse().unwrap();
    let first = bench.start(&config).await;
    first.holds(8).await;
    let second = bench.start_another(&config).await;
    first.holds(4).await;
    second.holds(4).await;
    add_many(&bench, 0, 100).await;
    let mut listener = bench.listen();
    listener.wait_for(100).await;
    wait::until("both have stored their cursors", PATIENCE, || async {
        let published = async |sidecar: &Sidecar| {
            sidecar.status().await["outboxes"]["things"]["published"].as_u64().unwrap()
        };
        (published(&first).await + published(&second).await == 100).then_some(())
    })
    .await;
    first.process.kill().await;
    add_many(&bench, 100, 200).await;
    listener.wait_for(200).await;
    second.holds(8).await;
    assert_eq!(listener.first_by_key(), in_order(0, 200));
    assert_eq!(
        listener.received.len(),
        200,
        "the second starts where the first had stored its cursor"
    );
}

#[tokio::test]
async fn a_relay_that_stops_gives_its_buckets_back_at_once() {
    let bench = Bench::new("handover").await;
    let mut config = bench.outbox_config();
    // Far longer than the test's patience: only a hand-back can make it pass.
    config.outboxes[0].lease = "1h".parse().unwrap();
    let first = bench.start(&config).await;
    add_many(&bench, 0, 10).await;
    let mut listener = bench.listen();
    listener.wait_for(10).await;
    first.stop().await;
    let owners: i64 = bench
        .client
        .query_one("SELECT count(owner) FROM outbox_sidecar.cursor", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(owners, 0);
    let second = bench.start(&config).await;
    add_many(&bench, 10, 20).await;
    second.wake().await;
    listener.wait_for(20).await;
    assert_eq!(listener.received.len(), 20, "a graceful stop repeats nothing");
}

#[tokio::test]
async fn a_table_that_comes_later_is_waited_for_by_name() {
    let bench = Bench::new("table").await;
    bench.client.batch_execute("ALTER TABLE outbox RENAME TO outbox_later").await.unwrap();
    let sidecar = bench.start(&bench.outbox_config()).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(waiting.contains("the table outbox does not exist yet"), "{waiting}");
    bench.client.batch_execute("ALTER TABLE outbox_later RENAME TO outbox").await.unwrap();
    bench.add("a", 1).await;
    bench.listen().wait_for(1).await;
}

#[tokio::test]
async fn an_unusable_table_is_explained_column_by_column() {
    let bench = Bench::new("columns").await;
    bench
        .client
        .batch_execute("ALTER TABLE outbox DROP COLUMN type; ALTER TABLE outbox ALTER COLUMN created_at TYPE text")
        .await
        .unwrap();
    let sidecar = bench.start(&bench.outbox_config()).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(
        waiting.contains("column `type` is missing; column `created_at` is text, not timestamptz"),
        "{waiting}"
    );
}

#[tokio::test]
async fn rows_in_buckets_that_nobody_publishes_are_said_and_not_passed_over() {
    let bench = Bench::new("stray").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].buckets = 4;
    add_many(&bench, 0, 100).await;
    let sidecar = bench.start(&config).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(waiting.contains("only 0 to 3 are published"), "{waiting}");
}

#[tokio::test]
async fn a_broker_that_comes_later_is_waited_for() {
    let bench = Bench::new("broker").await;
    let port = bench.kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port).await.unwrap();
    proxy.refuse();
    let mut config = bench.outbox_config();
    config.kafka.bootstrap_servers = vec![format!("127.0.0.1:{}", proxy.port())];
    bench.add("a", 1).await;
    let sidecar = bench.start(&config).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(waiting.contains("cannot create the topics"), "{waiting}");
    proxy.restore();
    bench.listen().wait_for(1).await;
}

#[tokio::test]
async fn cut_database_connections_are_made_anew() {
    let bench = Bench::new("cut").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].chunk.rows = 50;
    config.outboxes[0].lease = "1s".parse().unwrap();
    let sidecar = bench.start(&config).await;
    let admin = bench.database.connect_admin().await.unwrap();
    let mut listener = bench.listen();
    for round in 0..5 {
        add_many(&bench, round * 200, (round + 1) * 200).await;
        admin
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'outbox-sidecar'",
                &[],
            )
            .await
            .unwrap();
    }
    listener.wait_for(1_000).await;
    assert_eq!(listener.first_by_key(), in_order(0, 1_000));
    assert!(sidecar.process.is_running(), "it was the same process all along");
}

#[tokio::test]
async fn a_broker_restart_under_load_loses_nothing_and_keeps_order() {
    let broker = Broker::temporary().await.unwrap();
    let bench = Bench::new("restart").await;
    let mut config = bench.outbox_config();
    config.kafka.bootstrap_servers = vec![broker.server().bootstrap().to_owned()];
    config.outboxes[0].chunk.rows = 100;
    let sidecar = bench.start(&config).await;
    let mut listener = Listener::new(broker.server().bootstrap(), &bench.topic);
    add_many(&bench, 0, 500).await;
    listener.wait_for(100).await;
    broker.kill().await;
    add_many(&bench, 500, 1_000).await;
    wait::until("what piles up behind the outage is counted", PATIENCE, || async {
        (sidecar.metric("outbox_sidecar_outbox_pending_rows", &[]).await >= 500.0).then_some(())
    })
    .await;
    broker.start().await.unwrap();
    add_many(&bench, 1_000, 1_500).await;
    sidecar.wake().await;
    listener.wait_for(1_500).await;
    assert_eq!(listener.first_by_key(), in_order(0, 1_500));
}

#[tokio::test]
async fn a_database_restart_under_load_loses_nothing_and_keeps_order() {
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(cluster.server(), "pgrestart").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].chunk.rows = 100;
    config.outboxes[0].lease = "1s".parse().unwrap();
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    add_many(&bench, 0, 2_000).await;
    listener.wait_for(200).await;
    cluster.restart().await.unwrap();
    listener.wait_for(2_000).await;
    assert_eq!(listener.first_by_key(), in_order(0, 2_000));
    assert!(sidecar.process.is_running(), "it was the same process all along");
}
