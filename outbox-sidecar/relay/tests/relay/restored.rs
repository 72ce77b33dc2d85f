//! A database that is not the one from before: restored, or failed over.

use std::{path::PathBuf, process::Command};

use test_support::{
    postgres::{Cluster, TestDatabase},
    wait,
};

use crate::harness::{Bench, Listener, PATIENCE, Sidecar, insert, pool};

/// Dumps a bench's database and restores it into a new one of another cluster.
async fn restore_elsewhere(bench: &Bench, cluster: &Cluster) -> TestDatabase {
    let database = cluster.database("restored").await.unwrap();
    let (from, to) = (bench.database.url().to_owned(), database.url().to_owned());
    let file = bench.files.path().join("dump");
    tokio::task::spawn_blocking(move || {
        let dump = ["--no-owner", "--no-privileges", "--format=custom", "--file"];
        run(Command::new(program("pg_dump")).args(dump).arg(&file).arg(from));
        let restore = ["--no-owner", "--exit-on-error", "--dbname"];
        run(Command::new(program("pg_restore")).args(restore).arg(to).arg(&file));
    })
    .await
    .unwrap();
    database
}

/// PostgreSQL's programs are not always in the path.
fn program(name: &str) -> PathBuf {
    test_support::postgres::program(name).unwrap()
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Uses up transaction ids, so that the cluster is ahead of a fresh one.
async fn burn_ids(bench: &Bench, count: i32) {
    let sql = format!(
        "DO $$ BEGIN FOR n IN 1..{count} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
    );
    bench.client.batch_execute(&sql).await.unwrap();
}

async fn published(sidecar: &Sidecar, rows: u64) {
    wait::until(&format!("{rows} rows are published"), PATIENCE, || async {
        (sidecar.status().await["outboxes"]["things"]["published"].as_u64()? >= rows).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dump_restored_into_a_younger_cluster_loses_no_row_and_keeps_the_order() {
    let bench = Bench::new("restoredyoung").await;
    let config = bench.outbox_config();
    // Far ahead of what a new cluster starts with.
    burn_ids(&bench, 20_000).await;
    let sidecar = bench.start(&config).await;
    for number in 1..=3 {
        bench.add("a", number).await;
    }
    published(&sidecar, 3).await;
    sidecar.stop().await;
    // Committed, and not published when the dump is taken.
    bench.add("a", 4).await;
    bench.add("b", 5).await;

    let cluster = Cluster::temporary().await.unwrap();
    let restored = restore_elsewhere(&bench, &cluster).await;
    let client = restored.connect().await.unwrap();
    // The service is up before its sidecar is.
    insert(&client, "a", 6).await;
    insert(&client, "b", 7).await;
    let sidecar = Sidecar::start(&config, restored.url(), &bench.files).await;
    published(&sidecar, 4).await;
    insert(&client, "a", 8).await;
    sidecar.wake().await;
    published(&sidecar, 5).await;

    let mut listener = bench.listen();
    listener.wait_for(8).await;
    let by_key = listener.first_by_key();
    assert_eq!(by_key["a"], [1, 2, 3, 4, 6, 8]);
    assert_eq!(by_key["b"], [5, 7]);
    let status = sidecar.status().await;
    assert!(status["outboxes"]["things"]["restoredAt"].is_string(), "{status}");
    assert_eq!(
        status["outboxes"]["things"]["published"], 5,
        "nothing known to be published is repeated"
    );
    assert_eq!(sidecar.metric("outbox_sidecar_outbox_restores_total", &[]).await, 1.0);
    let log = sidecar.process.tail(200);
    assert!(log.contains("it was restored"), "{log}");

    // Neither a restart nor the passing of time makes it a restore again.
    sidecar.stop().await;
    let sidecar = Sidecar::start(&config, restored.url(), &bench.files).await;
    insert(&client, "b", 9).await;
    sidecar.wake().await;
    published(&sidecar, 1).await;
    assert_eq!(sidecar.metric("outbox_sidecar_outbox_restores_total", &[]).await, 0.0);
    listener.wait_for(9).await;
    assert_eq!(listener.first_by_key()["b"], [5, 7, 9]);
}

#[tokio::test]
async fn restored_rows_are_deleted_after_their_retention_although_their_ids_lie_ahead() {
    let bench = Bench::new("restoredold").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].retention = "1h".parse().unwrap();
    burn_ids(&bench, 20_000).await;
    bench.add("a", 1).await;
    bench
        .client
        .execute("UPDATE outbox SET created_at = now() - interval '2 hours'", &[])
        .await
        .unwrap();
    let cluster = Cluster::temporary().await.unwrap();
    let restored = restore_elsewhere(&bench, &cluster).await;
    let bench = Bench { client: restored.connect().await.unwrap(), database: restored, ..bench };
    // Without cursors: the schema of the sidecar was not in the dump.
    let sidecar = bench.start(&config).await;
    bench.listen().wait_for(1).await;
    bench.add("a", 2).await;
    sidecar.wake().await;
    published(&sidecar, 2).await;
    sidecar.stop().await;
    let pool = pool(&bench);
    let outbox = &config.outboxes[0];
    let purged = outbox_sidecar::outbox::retention::purge_outbox(&pool, outbox, &outbox.table);
    assert_eq!(purged.await.unwrap(), (1, false));
}

#[tokio::test]
async fn transaction_ids_that_went_back_make_the_relay_publish_again_and_go_on() {
    let bench = Bench::new("restoredback").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    sidecar.stop().await;
    bench
        .client
        .batch_execute("UPDATE outbox_sidecar.cursor SET published = '900000000:900000000:'")
        .await
        .unwrap();
    bench.add("a", 2).await;
    let sidecar = bench.start(&config).await;
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key()["a"], [1, 2]);
    assert_eq!(sidecar.metric("outbox_sidecar_outbox_restores_total", &[]).await, 1.0);
}

#[tokio::test]
async fn a_copy_of_the_database_publishes_what_the_original_had_not() {
    let bench = Bench::new("copied").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    published(&sidecar, 1).await;
    sidecar.stop().await;
    bench.add("a", 2).await;
    let name = bench.database.name().to_owned();
    let postgres = test_support::fixtures::postgres().await;
    let copy = postgres.database("copy").await.unwrap();
    let admin = postgres.admin("postgres").await.unwrap();
    let Bench { client, database, topic, files, kafka } = bench;
    drop(client);
    // A template has no connections.
    for statement in [
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        format!("DROP DATABASE \"{}\"", copy.name()),
        format!("CREATE DATABASE \"{}\" TEMPLATE \"{name}\" OWNER \"{name}\"", copy.name()),
    ] {
        admin.batch_execute(&statement).await.unwrap();
    }
    let (server, _) = database.url().rsplit_once('/').unwrap();
    let url = format!("{server}/{}", copy.name());
    let sidecar = Sidecar::start(&config, &url, &files).await;
    published(&sidecar, 1).await;
    let mut listener = Listener::new(kafka.bootstrap(), &topic);
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key()["a"], [1, 2]);
    assert_eq!(sidecar.status().await["outboxes"]["things"]["published"], 1);
    // It belongs to the original's role, which goes with the original.
    drop((sidecar, copy));
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
