//! A database that is not the one from before: restored, or failed over.

use test_support::wait;

use crate::harness::{Bench, PATIENCE};

#[tokio::test]
async fn a_cursor_ahead_of_the_databases_transaction_ids_is_said_and_not_silent() {
    let bench = Bench::new("restored").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    bench.listen().wait_for(1).await;
    sidecar.stop().await;
    // What a dump restored into a new cluster looks like.
    bench
        .client
        .batch_execute("UPDATE outbox_sidecar.cursor SET published = '900000000:900000000:'")
        .await
        .unwrap();
    bench.add("a", 2).await;
    let sidecar = bench.start(&config).await;
    let waiting = sidecar.waiting_for("outboxes").await;
    assert!(waiting.contains("transaction ids have gone backwards"), "{waiting}");
}

#[tokio::test]
async fn new_connections_mean_cursors_as_stored() {
    let bench = Bench::new("failover").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].poll.maximum = "100ms".parse().unwrap();
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    // What is left after failing over to a copy that had not heard of the publication.
    let admin = bench.database.connect_admin().await.unwrap();
    admin
        .batch_execute(
            "UPDATE outbox_sidecar.cursor SET published = '3:3:';
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'outbox-sidecar'",
        )
        .await
        .unwrap();
    wait::until("the row is published again", PATIENCE, || async {
        (sidecar.status().await["outboxes"]["things"]["published"] == 2).then_some(())
    })
    .await;
}
