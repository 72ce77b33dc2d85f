//! Keys whose first row cannot be published.

use std::collections::HashMap;

use outbox_sidecar::outbox::retention::purge_outbox;
use outbox_sidecar_core::config::{Config, Delivery};
use test_support::{kafka::Broker, proxy::Proxy, wait};

use crate::harness::{Bench, Listener, PATIENCE, pool};

/// Rows go to the topic of their kind, which nobody makes.
fn by_kind(bench: &Bench, mut config: Config) -> Config {
    config.outboxes[0].topic = format!("{}-{{aggregate_type}}", bench.topic).parse().unwrap();
    config.topics.create = false;
    config
}

async fn add(bench: &Bench, kind: &str, key: &str, number: i32) {
    let sql = "INSERT INTO outbox (aggregate_type, aggregate_id, payload)
               VALUES ($1, $2, jsonb_build_object('number', $3::int4))";
    bench.client.execute(sql, &[&kind, &key, &number]).await.unwrap();
}

async fn make_topic(bench: &Bench, kind: &str) -> Listener {
    let topic = format!("{}-{kind}", bench.topic);
    bench.kafka.create_topic(&topic, 2).await.unwrap();
    Listener::new(bench.kafka.bootstrap(), &topic)
}

async fn count(bench: &Bench, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM outbox_sidecar.{table}");
    bench.client.query_one(&sql, &[]).await.unwrap().get(0)
}

async fn wait_for_parked(bench: &Bench, rows: i64) {
    wait::until(&format!("{rows} rows are parked"), PATIENCE, || async {
        (count(bench, "parked").await == rows).then_some(())
    })
    .await;
}

/// With waits so short that a test sees many, and no end of them.
fn patient(bench: &Bench) -> Config {
    let mut config = bench.impatient_config();
    config.outboxes[0].poison.maximum_attempts = 1_000_000;
    config
}

#[tokio::test]
async fn a_key_waits_for_its_first_row_and_goes_on_in_order_when_the_topic_is_there() {
    let bench = Bench::prepared("parks").await;
    let config = by_kind(&bench, patient(&bench));
    waits_and_goes_on(&bench, config).await;
}

#[tokio::test]
async fn a_key_waits_and_goes_on_in_order_under_transactional_delivery_too() {
    let bench = Bench::prepared("parkstx").await;
    let mut config = by_kind(&bench, patient(&bench));
    config.outboxes[0].delivery = Delivery::Transactional;
    waits_and_goes_on(&bench, config).await;
}

async fn waits_and_goes_on(bench: &Bench, config: Config) {
    let mut known = make_topic(bench, "known").await;
    let sidecar = bench.start(&config).await;
    add(bench, "late", "waits", 1).await;
    add(bench, "known", "goes", 2).await;
    sidecar.wake().await;
    known.wait_for(1).await;
    wait_for_parked(bench, 1).await;
    // Later windows, and rows of other topics of the same key.
    add(bench, "known", "waits", 3).await;
    add(bench, "late", "waits", 4).await;
    add(bench, "known", "goes", 5).await;
    add(bench, "known", "waits", 6).await;
    sidecar.wake().await;
    known.wait_for(2).await;
    wait_for_parked(bench, 4).await;
    assert_eq!(known.first_by_key(), HashMap::from([("goes".into(), vec![2, 5])]));

    let mut late = make_topic(bench, "late").await;
    late.wait_for(2).await;
    known.wait_for(4).await;
    assert_eq!(late.first_by_key(), HashMap::from([("waits".into(), vec![1, 4])]));
    assert_eq!(known.first_by_key()["waits"], [3, 6]);
    wait_for_parked(bench, 0).await;
    assert_eq!(count(bench, "dead_letter").await, 0);
}

#[tokio::test]
async fn parked_keys_outlive_a_crash_and_a_takeover() {
    let bench = Bench::prepared("parkcrash").await;
    let mut config = by_kind(&bench, patient(&bench));
    config.outboxes[0].lease = "1s".parse().unwrap();
    config.outboxes[0].chunk.rows = 10;
    let first = bench.start(&config).await;
    for number in 0..40 {
        add(&bench, "late", &format!("k{}", number % 4), number).await;
    }
    first.wake().await;
    wait_for_parked(&bench, 40).await;
    first.process.kill().await;
    for number in 40..60 {
        add(&bench, "late", &format!("k{}", number % 4), number).await;
    }
    let _second = bench.start(&config).await;
    wait_for_parked(&bench, 60).await;
    let mut late = make_topic(&bench, "late").await;
    late.wait_for(60).await;
    let by_key = late.first_by_key();
    for key in 0..4_i64 {
        let expected: Vec<i64> = (0..60).filter(|number| number % 4 == key).collect();
        assert_eq!(by_key[&format!("k{key}")], expected);
    }
}

#[tokio::test]
async fn when_its_attempts_are_used_up_a_row_is_dead_and_its_key_goes_on() {
    let bench = Bench::prepared("usedup").await;
    let config = by_kind(&bench, bench.impatient_config());
    let mut known = make_topic(&bench, "known").await;
    let sidecar = bench.start(&config).await;
    add(&bench, "late", "a", 1).await;
    add(&bench, "late", "a", 2).await;
    add(&bench, "known", "a", 3).await;
    sidecar.wake().await;
    known.wait_for(1).await;
    let dead = bench
        .client
        .query(
            "SELECT position, attempts, reason FROM outbox_sidecar.dead_letter ORDER BY position",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(dead.len(), 2);
    for row in dead {
        assert_eq!(row.get::<_, i32>(1), 3);
        assert!(row.get::<_, &str>(2).contains("does not exist, and `topics.create: false`"));
    }
    wait_for_parked(&bench, 0).await;
}

#[tokio::test]
async fn an_outage_uses_up_no_attempts() {
    let bench = Bench::prepared("noattempts").await;
    let port = bench.kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port).await.unwrap();
    let mut config = by_kind(&bench, bench.impatient_config());
    config.kafka.bootstrap_servers = vec![format!("127.0.0.1:{}", proxy.port())];
    config.kafka.properties.insert("socket.timeout.ms".into(), "1000".into());
    proxy.refuse();
    let sidecar = bench.start(&config).await;
    add(&bench, "known", "a", 1).await;
    sidecar.wake().await;
    wait::until("the outage is met several times", PATIENCE, || async {
        let errors = sidecar.metric("outbox_sidecar_errors_total", &[("class", "outage")]).await;
        (errors >= 3.0).then_some(())
    })
    .await;
    assert_eq!(count(&bench, "parked").await + count(&bench, "dead_letter").await, 0);
    let mut known = make_topic(&bench, "known").await;
    proxy.restore();
    known.wait_for(1).await;
    assert_eq!(count(&bench, "dead_letter").await, 0);
}

#[tokio::test]
async fn what_the_broker_refuses_for_its_size_goes_out_when_the_topic_takes_it() {
    let bench = Bench::prepared("grows").await;
    bench.make_topic(1).await;
    crate::outbox_refusals::set_topic(&bench, "max.message.bytes", "20000").await;
    let sidecar = bench.start(&patient(&bench)).await;
    let sql = "INSERT INTO outbox (aggregate_id, payload)
               SELECT 'a', jsonb_build_object('number', 1, 'noise', string_agg(md5(m::text), '')) FROM generate_series(1, 3000) AS m";
    bench.client.execute(sql, &[]).await.unwrap();
    bench.add("a", 2).await;
    bench.add("b", 3).await;
    sidecar.wake().await;
    wait_for_parked(&bench, 2).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    crate::outbox_refusals::set_topic(&bench, "max.message.bytes", "500000").await;
    listener.wait_for(3).await;
    let expected = HashMap::from([("a".into(), vec![1, 2]), ("b".into(), vec![3])]);
    assert_eq!(listener.first_by_key(), expected);
}

#[tokio::test]
async fn a_parked_row_that_is_deleted_holds_up_nothing() {
    let bench = Bench::prepared("vanish").await;
    let config = by_kind(&bench, patient(&bench));
    let mut known = make_topic(&bench, "known").await;
    let sidecar = bench.start(&config).await;
    add(&bench, "late", "a", 1).await;
    add(&bench, "known", "a", 2).await;
    sidecar.wake().await;
    wait_for_parked(&bench, 2).await;
    bench.client.execute("DELETE FROM outbox WHERE aggregate_type = 'late'", &[]).await.unwrap();
    known.wait_for(1).await;
    wait_for_parked(&bench, 0).await;
}

#[tokio::test]
async fn retention_leaves_parked_rows_and_dead_letters() {
    let bench = Bench::prepared("parkedkept").await;
    let mut config = by_kind(&bench, patient(&bench));
    config.outboxes[0].retention = "1h".parse().unwrap();
    let mut known = make_topic(&bench, "known").await;
    let sidecar = bench.start(&config).await;
    add(&bench, "not a topic", "dead", 1).await;
    add(&bench, "late", "waits", 2).await;
    add(&bench, "known", "waits", 3).await;
    add(&bench, "known", "goes", 4).await;
    sidecar.wake().await;
    known.wait_for(1).await;
    wait_for_parked(&bench, 2).await;
    assert_eq!(count(&bench, "dead_letter").await, 1);
    sidecar.stop().await;
    bench
        .client
        .execute("UPDATE outbox SET created_at = now() - interval '2 hours', xid = '3'", &[])
        .await
        .unwrap();
    let (rows, _) =
        purge_outbox(&pool(&bench), &config.outboxes[0], &config.outboxes[0].table).await.unwrap();
    assert_eq!(rows, 1, "only what was published");
    let _sidecar = bench.start(&config).await;
    make_topic(&bench, "late").await.wait_for(1).await;
    known.wait_for(2).await;
}

/// All keys at once, as when the one topic of many rows is missing.
#[tokio::test]
async fn many_parked_keys_go_on_together() {
    let bench = Bench::prepared("manyparked").await;
    let mut config = by_kind(&bench, patient(&bench));
    config.outboxes[0].poison.initial_backoff = "1s".parse().unwrap();
    config.outboxes[0].poison.maximum_backoff = "1s".parse().unwrap();
    let sql = "INSERT INTO outbox (aggregate_type, aggregate_id, payload)
               SELECT 'late', 'k' || n % 1000, jsonb_build_object('number', n) FROM generate_series(0, 2999) AS n ORDER BY n";
    bench.client.execute(sql, &[]).await.unwrap();
    let _sidecar = bench.start(&config).await;
    wait_for_parked(&bench, 3_000).await;
    let mut late = make_topic(&bench, "late").await;
    late.wait_for(3_000).await;
    for (key, numbers) in late.first_by_key() {
        assert!(numbers.is_sorted() && numbers.len() == 3, "{key}: {numbers:?}");
    }
}

#[tokio::test]
async fn a_broker_restart_while_keys_are_parked_loses_nothing() {
    let broker = Broker::temporary().await.unwrap();
    let bench = Bench::prepared("parkrestart").await;
    let mut config = by_kind(&bench, patient(&bench));
    config.kafka.bootstrap_servers = vec![broker.server().bootstrap().to_owned()];
    let topic = |kind: &str| format!("{}-{kind}", bench.topic);
    broker.server().create_topic(&topic("known"), 1).await.unwrap();
    let sidecar = bench.start(&config).await;
    add(&bench, "late", "a", 1).await;
    add(&bench, "known", "a", 2).await;
    sidecar.wake().await;
    wait_for_parked(&bench, 2).await;
    broker.kill().await;
    add(&bench, "known", "b", 3).await;
    sidecar.wake().await;
    broker.start().await.unwrap();
    broker.server().create_topic(&topic("late"), 1).await.unwrap();
    Listener::new(broker.server().bootstrap(), &topic("late")).wait_for(1).await;
    let mut known = Listener::new(broker.server().bootstrap(), &topic("known"));
    known.wait_for(2).await;
    assert_eq!(count(&bench, "dead_letter").await, 0);
}
