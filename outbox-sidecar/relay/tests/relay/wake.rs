//! Pokes that reach a sidecar that does not hold the bucket.

use std::time::Instant;

use futures::{StreamExt as _, stream::poll_fn};
use outbox_sidecar_core::config::Config;
use test_support::wait;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::harness::{Bench, PATIENCE, Sidecar};

/// No poll finds a row within a test's patience.
fn never_polling(bench: &Bench) -> Config {
    let mut config = bench.outbox_config();
    config.outboxes[0].poll.minimum = "10m".parse().unwrap();
    config.outboxes[0].poll.maximum = "10m".parse().unwrap();
    config
}

/// Two sidecars with half of the buckets each, both listening.
async fn two(bench: &Bench, config: &Config) -> (Sidecar, Sidecar) {
    let first = bench.start(config).await;
    first.holds(8).await;
    let second = bench.start_another(config).await;
    first.holds(4).await;
    second.holds(4).await;
    if config.database.as_ref().unwrap().listen {
        listening(bench, 2).await;
    }
    (first, second)
}

async fn listening(bench: &Bench, connections: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'";
    wait::until("the sidecars listen", PATIENCE, || async {
        let row = bench.client.query_one(sql, &[]).await.unwrap();
        (row.get::<_, i64>(0) == connections).then_some(())
    })
    .await;
}

/// Adds a row to a bucket that this sidecar does not hold.
async fn add_elsewhere(bench: &Bench, sidecar: &Sidecar, number: i32) {
    let status = sidecar.status().await;
    let outbox = &status["outboxes"]["things"];
    let leases = outbox["leases"].as_array().unwrap();
    let elsewhere: Vec<i32> = leases
        .iter()
        .filter(|lease| lease["owner"] != outbox["relay"])
        .map(|lease| i32::try_from(lease["bucket"].as_i64().unwrap()).unwrap())
        .collect();
    let sql = "INSERT INTO outbox (aggregate_id, payload)
               SELECT key, jsonb_build_object('number', $2::int4)
               FROM (SELECT 'k' || n AS key FROM generate_series(1, 1000) AS n) AS keys
               WHERE (hashtext(key) & 2147483647) % 8 = ANY($1) LIMIT 1";
    assert_eq!(bench.client.execute(sql, &[&elsewhere, &number]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_poke_reaches_the_sidecar_that_holds_the_bucket() {
    let bench = Bench::new("poke").await;
    let (first, second) = two(&bench, &never_polling(&bench)).await;
    let mut listener = bench.listen();
    add_elsewhere(&bench, &first, 1).await;
    first.wake().await;
    listener.wait_for(1).await;
    add_elsewhere(&bench, &second, 2).await;
    second.wake().await;
    listener.wait_for(2).await;
}

#[tokio::test]
async fn a_cut_listening_connection_is_made_anew_and_fails_nothing() {
    let bench = Bench::new("deaf").await;
    let (first, second) = two(&bench, &never_polling(&bench)).await;
    let admin = bench.database.connect_admin().await.unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    admin.execute(cut, &[]).await.unwrap();
    // A poke that is lost now makes up for itself, as whoever listens again looks.
    add_elsewhere(&bench, &first, 1).await;
    first.wake().await;
    bench.listen().wait_for(1).await;
    listening(&bench, 2).await;
    for sidecar in [&first, &second] {
        assert!(sidecar.metric("outbox_sidecar_errors_total", &[]).await < 1.0);
    }
}

#[tokio::test]
async fn many_pokes_are_few_notifications() {
    let bench = Bench::new("pokes").await;
    let (first, _second) = two(&bench, &never_polling(&bench)).await;
    let settings: tokio_postgres::Config = bench.database.url().parse().unwrap();
    let (client, mut connection) = settings.connect(NoTls).await.unwrap();
    let (heard, mut notifications) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(said) = message {
                heard.send(said.payload().to_owned()).unwrap();
            }
        }
    });
    client.batch_execute("LISTEN outbox_sidecar_wake").await.unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        first.wake().await;
    }
    let first_one = tokio::time::timeout(PATIENCE, notifications.recv()).await.unwrap();
    assert!(first_one.unwrap().ends_with(" things"));
    client.batch_execute("NOTIFY outbox_sidecar_wake, 'end'").await.unwrap();
    let mut count = 1;
    while notifications.recv().await.unwrap() != "end" {
        count += 1;
    }
    let most = begun.elapsed().as_millis() / 20 + 1;
    assert!(count <= most, "{count} notifications, {most} at most");
}

#[tokio::test]
async fn a_sidecar_that_shall_not_listen_opens_no_connection_for_it() {
    let bench = Bench::new("unheard").await;
    let mut config = bench.outbox_config();
    config.database.as_mut().unwrap().listen = false;
    let (first, _second) = two(&bench, &config).await;
    listening(&bench, 0).await;
    // The poll finds the row.
    add_elsewhere(&bench, &first, 1).await;
    first.wake().await;
    bench.listen().wait_for(1).await;
}

#[tokio::test]
async fn a_sidecar_opens_three_connections_at_most() {
    let bench = Bench::new("connections").await;
    let sidecar = bench.start(&bench.outbox_config()).await;
    sidecar.holds(8).await;
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'outbox-sidecar'";
    for number in 0..200 {
        bench.add(&format!("k{number}"), number).await;
        sidecar.wake().await;
        let row = bench.client.query_one(sql, &[]).await.unwrap();
        assert!(row.get::<_, i64>(0) <= 3);
    }
    bench.listen().wait_for(200).await;
}
