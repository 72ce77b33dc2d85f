//! Several relays of one outbox share its buckets.

use std::collections::HashMap;

use test_support::{proxy::Proxy, wait};

use crate::harness::{Bench, Listener, PATIENCE};

const KEYS: i32 = 40;

async fn add_many(bench: &Bench, from: i32, to: i32) {
    let sql = "INSERT INTO outbox (aggregate_id, payload)
               SELECT 'k' || n % $3, jsonb_build_object('number', n) FROM generate_series($1::int4, $2::int4 - 1) AS n
               ORDER BY n";
    bench.client.execute(sql, &[&from, &to, &KEYS]).await.unwrap();
}

fn in_order(to: i32) -> HashMap<String, Vec<i64>> {
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for number in 0..to {
        expected.entry(format!("k{}", number % KEYS)).or_default().push(number.into());
    }
    expected
}

/// All rows came once, in order.
fn assert_all_once(listener: &Listener, count: i32) {
    assert_eq!(listener.first_by_key(), in_order(count));
    let count = usize::try_from(count).unwrap();
    assert_eq!(listener.received.len(), count, "what passes between relays is not repeated");
}

#[tokio::test]
async fn relays_come_and_go_and_every_one_of_them_has_its_share() {
    let bench = Bench::new("share").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "6s".parse().unwrap();
    config.outboxes[0].chunk.rows = 50;
    let first = bench.start(&config).await;
    first.holds(8).await;
    add_many(&bench, 0, 2_000).await;
    let second = bench.start_another(&config).await;
    first.holds(4).await;
    second.holds(4).await;
    add_many(&bench, 2_000, 4_000).await;
    let third = bench.start_another(&config).await;
    wait::until("three relays have 3, 3 and 2 buckets", PATIENCE, || async {
        let mut held = Vec::new();
        for sidecar in [&first, &second, &third] {
            held.push(sidecar.status().await["outboxes"]["things"]["leasedBuckets"].as_u64()?);
        }
        held.sort_unstable();
        (held == [2, 3, 3]).then_some(())
    })
    .await;
    add_many(&bench, 4_000, 6_000).await;
    first.stop().await;
    second.holds(4).await;
    third.holds(4).await;
    add_many(&bench, 6_000, 8_000).await;
    third.stop().await;
    second.holds(8).await;
    let mut listener = bench.listen();
    listener.wait_for(8_000).await;
    assert_all_once(&listener, 8_000);
}

#[tokio::test]
async fn a_bucket_that_is_handed_over_waits_for_no_lease_to_expire() {
    let bench = Bench::new("handedover").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "30s".parse().unwrap();
    let first = bench.start(&config).await;
    first.holds(8).await;
    let second = bench.start_another(&config).await;
    // The first looks three times per lease, and the second is waiting by then.
    second.holds(4).await;
    let free = "SELECT count(*) FROM outbox_sidecar.cursor WHERE owner IS NULL";
    assert_eq!(bench.client.query_one(free, &[]).await.unwrap().get::<_, i64>(0), 0);
    let taken = "SELECT max(epoch) FROM outbox_sidecar.cursor";
    assert_eq!(
        bench.client.query_one(taken, &[]).await.unwrap().get::<_, i64>(0),
        2,
        "each bucket has moved once at most"
    );
}

#[tokio::test]
async fn relays_that_have_their_shares_leave_each_others_alone() {
    let bench = Bench::new("settled").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "1s".parse().unwrap();
    let first = bench.start(&config).await;
    let second = bench.start_another(&config).await;
    first.holds(4).await;
    second.holds(4).await;
    let takeovers = async || {
        let sql = "SELECT sum(epoch)::int8, count(owner) FROM outbox_sidecar.cursor";
        let row = bench.client.query_one(sql, &[]).await.unwrap();
        (row.get::<_, i64>(0), row.get::<_, i64>(1))
    };
    let before = takeovers().await;
    for round in 0..30 {
        add_many(&bench, round * 10, round * 10 + 10).await;
        first.wake().await;
        second.wake().await;
        renewed(&bench).await;
    }
    let after = takeovers().await;
    assert_eq!(after.1, 8, "every bucket has an owner");
    // A machine that stands still for a whole lease makes it pass to another and back.
    assert!(after.0 - before.0 <= 16, "from {before:?} to {after:?}");
    let mut listener = bench.listen();
    listener.wait_for(300).await;
    assert_eq!(listener.first_by_key(), in_order(300));
}

/// Waits until every relay has renewed once more.
async fn renewed(bench: &Bench) {
    let sql = "SELECT min(expires_at) FROM outbox_sidecar.relay";
    let soonest = async || {
        bench.client.query_one(sql, &[]).await.unwrap().get::<_, Option<std::time::SystemTime>>(0)
    };
    let before = soonest().await;
    wait::until("the relays renew", PATIENCE, || async {
        (soonest().await > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_cannot_publish_claims_no_share() {
    let bench = Bench::new("noshare").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "1s".parse().unwrap();
    let first = bench.start(&config).await;
    first.holds(8).await;
    let port = bench.kafka.bootstrap().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start(port).await.unwrap();
    proxy.refuse();
    let mut cut_off = config.clone();
    cut_off.kafka.bootstrap_servers = vec![format!("127.0.0.1:{}", proxy.port())];
    let second = bench.start_another(&cut_off).await;
    let waiting = second.waiting_for("outboxes").await;
    assert!(waiting.contains("cannot create the topics"), "{waiting}");
    add_many(&bench, 0, 100).await;
    first.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(100).await;
    assert_all_once(&listener, 100);
    let relays = "SELECT count(*) FROM outbox_sidecar.relay";
    assert_eq!(bench.client.query_one(relays, &[]).await.unwrap().get::<_, i64>(0), 1);
    proxy.restore();
    second.holds(4).await;
}

#[tokio::test]
async fn the_status_tells_who_publishes_each_bucket() {
    let bench = Bench::new("owners").await;
    let config = bench.outbox_config();
    let first = bench.start(&config).await;
    let second = bench.start_another(&config).await;
    first.holds(4).await;
    second.holds(4).await;
    let sql = "SELECT bucket, owner::text, epoch FROM outbox_sidecar.cursor ORDER BY bucket";
    let told = async |sidecar: &crate::harness::Sidecar| {
        let status = sidecar.status().await;
        let leases = status["outboxes"]["things"]["leases"].as_array()?.clone();
        let lease = |lease: &serde_json::Value| {
            let bucket = i32::try_from(lease["bucket"].as_i64()?).ok()?;
            lease["expiresAt"].as_str()?;
            Some((bucket, lease["owner"].as_str()?.to_owned(), lease["epoch"].as_i64()?))
        };
        leases.iter().map(lease).collect::<Option<Vec<_>>>()
    };
    wait::until("both tell what the database says", PATIENCE, || async {
        let rows = bench.client.query(sql, &[]).await.unwrap();
        let leases: Option<Vec<_>> = rows
            .iter()
            .map(|row| Some((row.get(0), row.get::<_, Option<String>>(1)?, row.get(2))))
            .collect();
        let leases = leases?;
        (told(&first).await? == leases && told(&second).await? == leases).then_some(())
    })
    .await;
}
