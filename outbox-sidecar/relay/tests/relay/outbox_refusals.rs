//! Rows, batches and topics that the broker refuses.

use std::{collections::HashMap, time::Duration};

use rdkafka::{
    admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier},
    client::DefaultClientContext,
};
use test_support::{proxy::Proxy, wait};

use crate::harness::{Bench, PATIENCE};

pub(crate) async fn set_topic(bench: &Bench, name: &str, value: &str) {
    let admin: AdminClient<DefaultClientContext> = bench.kafka.client_config().create().unwrap();
    let change = AlterConfig::new(ResourceSpecifier::Topic(&bench.topic)).set(name, value);
    let results = admin.alter_configs(&[change], &AdminOptions::new()).await.unwrap();
    results.into_iter().next().unwrap().unwrap();
}

/// Waits for dead letters.
async fn dead(bench: &Bench) -> Vec<(Option<String>, String)> {
    wait::until("rows are dead", PATIENCE, || async {
        let sql = "SELECT key, reason FROM outbox_sidecar.dead_letter ORDER BY position";
        let rows = bench.client.query(sql, &[]).await.unwrap();
        let dead: Vec<_> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        Some(dead).filter(|dead| !dead.is_empty())
    })
    .await
}

/// Rows of about a kilobyte that no compression makes smaller, of seven keys.
async fn add_incompressible(bench: &Bench, from: i32, to: i32) {
    let sql = "INSERT INTO outbox (aggregate_id, payload)
               SELECT 'k' || n % 7, jsonb_build_object('number', n, 'noise',
                          (SELECT string_agg(md5(n || '-' || m), '') FROM generate_series(1, 30) AS m))
               FROM generate_series($1::int4, $2::int4 - 1) AS n ORDER BY n";
    bench.client.execute(sql, &[&from, &to]).await.unwrap();
}

fn in_order(from: i64, to: i64) -> HashMap<String, Vec<i64>> {
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for number in from..to {
        expected.entry(format!("k{}", number % 7)).or_default().push(number);
    }
    expected
}

#[tokio::test]
async fn a_topic_that_takes_smaller_batches_than_ours_gets_every_row_in_order() {
    let bench = Bench::new("smalllimit").await;
    bench.make_topic(2).await;
    set_topic(&bench, "max.message.bytes", "20000").await;
    add_incompressible(&bench, 0, 300).await;
    let noise = "INSERT INTO outbox (aggregate_id, payload)
                 SELECT 'k1', jsonb_build_object('noise', string_agg(md5(m::text), '')) FROM generate_series(1, 3000) AS m";
    bench.client.execute(noise, &[]).await.unwrap();
    add_incompressible(&bench, 300, 400).await;
    let _sidecar = bench.start(&bench.impatient_config()).await;
    let mut listener = bench.listen();
    listener.wait_for(400).await;
    assert_eq!(listener.first_by_key(), in_order(0, 400));
    let dead = dead(&bench).await;
    let [(key, reason)] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!(key.as_deref(), Some("k1"));
    assert!(reason.contains("Message size too large"), "{reason}");
}

#[tokio::test]
async fn a_row_invalid_for_its_topic_is_set_aside_and_the_others_go_on() {
    let bench = Bench::new("compacted").await;
    bench.make_topic(1).await;
    // A compacted topic takes no message without a key.
    set_topic(&bench, "cleanup.policy", "compact").await;
    bench
        .client
        .batch_execute(
            "ALTER TABLE outbox DROP COLUMN bucket, ALTER COLUMN aggregate_id DROP NOT NULL",
        )
        .await
        .unwrap();
    add_incompressible(&bench, 0, 20).await;
    bench.client.execute("INSERT INTO outbox (aggregate_id) VALUES (NULL)", &[]).await.unwrap();
    add_incompressible(&bench, 20, 40).await;
    let mut config = bench.impatient_config();
    config.outboxes[0].buckets = 1;
    let _sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(40).await;
    assert_eq!(listener.first_by_key(), in_order(0, 40));
    let dead = dead(&bench).await;
    let [(None, reason)] = dead.as_slice() else { panic!("{dead:?}") };
    assert!(reason.contains("InvalidRecord"), "{reason}");
}

#[tokio::test]
async fn a_topic_deleted_while_running_is_made_anew() {
    let bench = Bench::new("deleted").await;
    let sidecar = bench.start(&bench.outbox_config()).await;
    bench.add("a", 1).await;
    bench.listen().wait_for(1).await;
    bench.kafka.delete_topic(&bench.topic).await.unwrap();
    wait::until("the topic is gone", PATIENCE, || async {
        let client: rdkafka::consumer::BaseConsumer = bench.kafka.client_config().create().unwrap();
        let metadata =
            rdkafka::consumer::Consumer::fetch_metadata(&client, None, PATIENCE).unwrap();
        metadata.topics().iter().all(|topic| topic.name() != bench.topic).then_some(())
    })
    .await;
    bench.add("a", 2).await;
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![2])]));
}

#[tokio::test]
async fn a_row_whose_topic_the_broker_refuses_holds_up_no_other() {
    let bench = Bench::new("collide").await;
    let mut config = bench.impatient_config();
    config.outboxes[0].topic = format!("{}{{aggregate_type}}", bench.topic).parse().unwrap();
    let _sidecar = bench.start(&config).await;
    // To Kafka's metrics a dot is an underscore, so the second topic collides.
    for (kind, key) in [("_x", "first"), (".x", "refused"), ("_x", "last")] {
        bench
            .client
            .execute(
                "INSERT INTO outbox (aggregate_type, aggregate_id, payload) VALUES ($1, $2, '{\"number\": 1}')",
                &[&kind, &key],
            )
            .await
            .unwrap();
    }
    let topic = format!("{}_x", bench.topic);
    let mut listener = crate::harness::Listener::new(bench.kafka.bootstrap(), &topic);
    listener.wait_for(2).await;
    let dead = dead(&bench).await;
    let [(key, reason)] = dead.as_slice() else { panic!("{dead:?}") };
    assert_eq!(key.as_deref(), Some("refused"));
    assert!(reason.contains("cannot create the topic"), "{reason}");
}

#[tokio::test]
async fn headers_that_are_json_but_not_jsonb_hold_up_no_other_row() {
    let bench = Bench::new("jsonheaders").await;
    bench
        .client
        .batch_execute(
            r#"ALTER TABLE outbox ALTER COLUMN headers DROP DEFAULT, ALTER COLUMN headers TYPE json;
               INSERT INTO outbox (aggregate_id, payload, headers) VALUES ('a', '{"number": 1}', '{"x": "\u0000"}'),
                                                                          ('a', '{"number": 2}', '[7]'),
                                                                          ('a', '{"number": 3}', '{}')"#,
        )
        .await
        .unwrap();
    let _sidecar = bench.start(&bench.outbox_config()).await;
    let mut listener = bench.listen();
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![1, 3])]));
    let dead = dead(&bench).await;
    let [(_, reason)] = dead.as_slice() else { panic!("{dead:?}") };
    assert!(reason.contains("not a JSON object"), "{reason}");
}

/// Far more than the producer's buffer holds, while no broker takes any of it.
#[tokio::test]
async fn a_full_buffer_keeps_the_leases_frees_the_database_and_heeds_a_stop() {
    let bench = Bench::new("full").await;
    bench.make_topic(1).await;
    let port = bench.kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port).await.unwrap();
    let mut config = bench.outbox_config();
    config.topics.create = false;
    config.kafka.bootstrap_servers = vec![format!("127.0.0.1:{}", proxy.port())];
    config.kafka.properties.insert("queue.buffering.max.kbytes".into(), "100".into());
    config.outboxes[0].lease = "3s".parse().unwrap();
    proxy.refuse();
    add_incompressible(&bench, 0, 300).await;
    let sidecar = bench.start(&config).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(waiting.contains("a Kafka broker"), "{waiting}");
    let busy = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'outbox-sidecar' AND state <> 'idle'
                  AND clock_timestamp() - query_start > interval '2 seconds'";
    let expiry = "SELECT extract(epoch FROM min(expires_at))::float8 FROM outbox_sidecar.cursor";
    let expires_at = async || bench.client.query_one(expiry, &[]).await.unwrap().get::<_, f64>(0);
    let first = expires_at().await;
    wait::until("every lease is renewed, again and again", PATIENCE, || async {
        (expires_at().await > first + 3.0).then_some(())
    })
    .await;
    let admin = bench.database.connect_admin().await.unwrap();
    assert_eq!(admin.query_one(busy, &[]).await.unwrap().get::<_, i64>(0), 0);
    let asked = std::time::Instant::now();
    sidecar.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(18), "{:?}", asked.elapsed());
    let held = "SELECT count(owner) FROM outbox_sidecar.cursor";
    assert_eq!(bench.client.query_one(held, &[]).await.unwrap().get::<_, i64>(0), 0);
    let config = {
        config.kafka.bootstrap_servers = vec![bench.kafka.bootstrap().to_owned()];
        config
    };
    let _sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(300).await;
    assert_eq!(listener.first_by_key(), in_order(0, 300));
}
