//! `delivery: transactional`: what a consumer that reads committed messages sees.

use std::{collections::HashMap, time::Duration};

use outbox_sidecar_core::config::{Config, Delivery};
use rdkafka::producer::{BaseProducer, Producer as _};
use test_support::{process::Signal, wait};

use crate::harness::{Bench, Listener, PATIENCE, header, key, number};

async fn add_many(bench: &Bench, from: i32, to: i32) {
    let sql = "INSERT INTO outbox (aggregate_id, payload)
               SELECT 'k' || n % 20, jsonb_build_object('number', n) FROM generate_series($1::int4, $2::int4 - 1) AS n
               ORDER BY n";
    bench.client.execute(sql, &[&from, &to]).await.unwrap();
}

fn in_order(to: i32) -> HashMap<String, Vec<i64>> {
    let mut expected: HashMap<String, Vec<i64>> = HashMap::new();
    for number in 0..to {
        expected.entry(format!("k{}", number % 20)).or_default().push(number.into());
    }
    expected
}

fn transactional(bench: &Bench) -> Config {
    let mut config = bench.impatient_config();
    config.outboxes[0].delivery = Delivery::Transactional;
    config.outboxes[0].chunk.rows = 100;
    config
}

async fn errors(sidecar: &crate::harness::Sidecar) -> f64 {
    sidecar.metric("outbox_sidecar_errors_total", &[]).await
}

#[tokio::test]
async fn every_row_is_seen_once_and_in_order_while_nothing_fails() {
    let bench = Bench::new("committed").await;
    let config = transactional(&bench);
    let first = bench.start(&config).await;
    let second = bench.start_another(&config).await;
    add_many(&bench, 0, 1_000).await;
    first.holds(4).await;
    second.holds(4).await;
    add_many(&bench, 1_000, 2_000).await;
    let mut listener = bench.listen();
    listener.wait_for(2_000).await;
    assert_eq!(listener.first_by_key(), in_order(2_000));
    assert_eq!(listener.received.len(), 2_000);
    assert!(errors(&first).await + errors(&second).await < 1.0);
}

/// A window that ends with a full chunk has an empty one behind it, which must not leave the
/// transactions of the full one open.
#[tokio::test]
async fn a_last_chunk_that_is_full_is_committed() {
    let bench = Bench::new("full").await;
    let sidecar = bench.start(&transactional(&bench)).await;
    sidecar.holds(8).await;
    let mut listener = bench.listen();
    for end in [100, 300, 600] {
        let before = listener.received.len();
        add_many(&bench, before.try_into().unwrap(), end).await;
        listener.wait_for(end.try_into().unwrap()).await;
    }
    assert_eq!(listener.first_by_key(), in_order(600));
    assert_eq!(listener.received.len(), 600);
}

#[tokio::test]
async fn a_refused_row_is_set_aside_and_nothing_around_it_is_seen_twice() {
    let bench = Bench::new("aborted").await;
    add_many(&bench, 0, 50).await;
    let noise = "INSERT INTO outbox (aggregate_id, payload)
                 SELECT 'k1', jsonb_build_object('noise', string_agg(md5(m::text), '')) FROM generate_series(1, 150000) AS m";
    bench.client.execute(noise, &[]).await.unwrap();
    add_many(&bench, 50, 100).await;
    let mut config = transactional(&bench);
    // The client lets it through, so that it is the broker who refuses.
    config.kafka.properties.insert("message.max.bytes".into(), "10000000".into());
    let _sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(100).await;
    assert_eq!(listener.first_by_key(), in_order(100));
    assert_eq!(listener.received.len(), 100, "what was sent beside it was never committed");
    let dead = "SELECT count(*) FROM outbox_sidecar.dead_letter";
    wait::until("it is a dead letter", PATIENCE, || async {
        (bench.client.query_one(dead, &[]).await.unwrap().get::<_, i64>(0) == 1).then_some(())
    })
    .await;
}

/// The rows of one key have one producer and one partition: a batch that is refused leaves a gap
/// in their sequence, which the smaller batches that follow must not run into.
#[tokio::test]
async fn a_refused_row_among_many_of_its_key_holds_up_nothing_for_long() {
    let bench = Bench::new("gap").await;
    let add = async |from: i32, to: i32| {
        let sql = "INSERT INTO outbox (aggregate_id, payload)
                   SELECT 'k', jsonb_build_object('number', n) FROM generate_series($1::int4, $2::int4 - 1) AS n
                   ORDER BY n";
        bench.client.execute(sql, &[&from, &to]).await.unwrap();
    };
    for round in 0..2 {
        add(round * 100, round * 100 + 20 + round * 30).await;
        let noise = "INSERT INTO outbox (aggregate_id, payload)
                     SELECT 'k', jsonb_build_object('noise', string_agg(md5(m::text), '')) FROM generate_series(1, 150000) AS m";
        bench.client.execute(noise, &[]).await.unwrap();
        add(round * 100 + 20 + round * 30, round * 100 + 100).await;
    }
    let mut config = transactional(&bench);
    config.kafka.properties.insert("message.max.bytes".into(), "10000000".into());
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(200).await;
    assert_eq!(listener.first_by_key()["k"], (0..200).collect::<Vec<_>>());
    assert_eq!(listener.received.len(), 200);
    assert!(errors(&sidecar).await < 1.0, "nothing had to start anew");
}

/// For each key the place of every message among its rows, as it came, repetitions
/// included.
fn places(listener: &Listener) -> HashMap<String, Vec<usize>> {
    let mut first: HashMap<String, Vec<i64>> = HashMap::new();
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for message in &listener.received {
        let (key, number) = (key(message), number(message));
        let known = first.entry(key.clone()).or_default();
        let place = known.iter().position(|one| *one == number).unwrap_or_else(|| {
            known.push(number);
            known.len() - 1
        });
        places.entry(key).or_default().push(place);
    }
    places
}

#[tokio::test]
async fn a_relay_that_stood_still_for_longer_than_its_lease_cannot_interleave() {
    let bench = Bench::new("stale").await;
    bench.make_topic(3).await;
    let mut config = transactional(&bench);
    config.outboxes[0].lease = "1s".parse().unwrap();
    config.outboxes[0].chunk.rows = 40;
    let first = bench.start(&config).await;
    let second = bench.start_another(&config).await;
    first.holds(4).await;
    second.holds(4).await;
    let mut listener = bench.listen();
    for round in 0..3 {
        add_many(&bench, round * 2_000, (round + 1) * 2_000).await;
        listener.wait_for(usize::try_from(round * 2_000 + 200).unwrap()).await;
        // In the middle of it.
        first.process.signal(Signal::STOP);
        second.holds(8).await;
        listener.wait_for(usize::try_from(round * 2_000 + 1_000).unwrap()).await;
        first.process.signal(Signal::CONT);
        listener.wait_for(usize::try_from((round + 1) * 2_000).unwrap()).await;
        first.holds(4).await;
        second.holds(4).await;
    }
    assert_eq!(listener.first_by_key(), in_order(6_000));
    for (key, places) in places(&listener) {
        // A chunk may come again as a whole; nothing is left out on the way forward.
        for pair in places.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "{key}: from {} to {}", pair[0], pair[1]);
        }
    }
    let dead = "SELECT count(*) FROM outbox_sidecar.dead_letter";
    assert_eq!(bench.client.query_one(dead, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn a_producer_that_was_replaced_is_a_lease_lost_and_no_poison() {
    let bench = Bench::new("fenced").await;
    let sidecar = bench.start(&transactional(&bench)).await;
    bench.add("a", 1).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    let row = bench
        .client
        .query_one("SELECT id::text FROM outbox_sidecar.identity WHERE outbox = 'things'", &[])
        .await
        .unwrap();
    let id: String = row.get(0);
    for bucket in 0..8 {
        let name = format!("outbox-sidecar-things-{id}-{bucket}");
        let config = bench.kafka.client_config().set("transactional.id", name).clone();
        tokio::task::spawn_blocking(move || {
            let usurper: BaseProducer = config.create().unwrap();
            usurper.init_transactions(Duration::from_secs(60)).unwrap();
        })
        .await
        .unwrap();
    }
    bench.add("a", 2).await;
    sidecar.wake().await;
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key(), HashMap::from([("a".into(), vec![1, 2])]));
    assert!(header(&listener.received[1], "id").is_some());
    let outages = sidecar.metric("outbox_sidecar_errors_total", &[("class", "outage")]).await;
    assert!(outages >= 1.0);
    let dead = "SELECT count(*) FROM outbox_sidecar.dead_letter";
    assert_eq!(bench.client.query_one(dead, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn outboxes_of_one_name_in_two_databases_leave_each_other_alone() {
    let (one, other) = (Bench::new("one").await, Bench::new("other").await);
    let (here, there) = (transactional(&one), transactional(&other));
    let (here, there) = (one.start(&here).await, other.start(&there).await);
    let (mut listener, mut elsewhere) = (one.listen(), other.listen());
    for number in 0..10 {
        one.add("a", number).await;
        other.add("a", number).await;
        here.wake().await;
        there.wake().await;
        let rows = usize::try_from(number).unwrap() + 1;
        listener.wait_for(rows).await;
        elsewhere.wait_for(rows).await;
    }
    assert!(errors(&here).await + errors(&there).await < 1.0);
}
