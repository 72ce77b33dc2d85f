//! Whoever holds the transaction horizon is named. Servers of their own: a held
//! horizon is held for every database of the server.

use outbox_sidecar_core::config::Config;
use serde_json::Value;
use test_support::{
    postgres::{Cluster, Options},
    wait,
};

use crate::harness::{Bench, PATIENCE, Sidecar, insert};

fn config(bench: &Bench) -> Config {
    let mut config = bench.outbox_config();
    config.horizon.warn_after = "1s".parse().unwrap();
    config
}

/// Waits until `/status` tells of this holder.
async fn holder(sidecar: &Sidecar, kind: &str, name: &str) -> Value {
    wait::until(&format!("the {kind} {name} is named"), PATIENCE, || async {
        let holders = sidecar.status().await["horizon"].as_array()?.clone();
        holders.into_iter().find(|holder| holder["kind"] == kind && holder["name"] == name)
    })
    .await
}

async fn nobody(sidecar: &Sidecar, kind: &str, name: &str) {
    wait::until(&format!("the {kind} {name} is no longer named"), PATIENCE, || async {
        let holders = sidecar.status().await["horizon"].as_array()?.clone();
        (!holders.iter().any(|holder| holder["name"] == name)).then_some(())
    })
    .await;
}

async fn said(sidecar: &Sidecar, text: &str) {
    wait::until(&format!("the log says: {text}"), PATIENCE, || async {
        sidecar.process.tail(200).contains(text).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_open_transaction_is_named_while_it_holds_the_horizon() {
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(&cluster, "heldtx").await;
    let sidecar = bench.start(&config(&bench)).await;
    let mut slow = bench.database.connect().await.unwrap();
    slow.execute("SET application_name = 'nightly report'", &[]).await.unwrap();
    let pid: i32 = slow.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let transaction = slow.transaction().await.unwrap();
    insert(&transaction, "slow", 1).await;

    let holder = holder(&sidecar, "transaction", &pid.to_string()).await;
    assert_eq!(holder["application"], "nightly report");
    assert_eq!(holder["state"], "idle in transaction");
    assert_eq!(holder["database"], bench.database.name());
    assert!(holder["queryStartedAt"].is_string(), "{holder}");
    assert!(holder["heldSeconds"].as_f64().unwrap() >= 1.0, "{holder}");
    let age =
        sidecar.metric("outbox_sidecar_horizon_age_seconds", &[("kind", "transaction")]).await;
    assert!(age >= 1.0, "{age}");
    said(&sidecar, "the transaction horizon is held for long").await;

    transaction.commit().await.unwrap();
    nobody(&sidecar, "transaction", &pid.to_string()).await;
    said(&sidecar, "the transaction horizon is no longer held").await;
}

#[tokio::test]
async fn a_transaction_of_a_user_one_may_not_look_at_is_named_all_the_same() {
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(&cluster, "heldother").await;
    let sidecar = bench.start(&config(&bench)).await;
    let mut slow = bench.database.connect_admin().await.unwrap();
    let pid: i32 = slow.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let transaction = slow.transaction().await.unwrap();
    insert(&transaction, "slow", 1).await;
    let holder = holder(&sidecar, "transaction", &pid.to_string()).await;
    assert_eq!(holder["user"], "postgres");
    assert!(holder["state"].is_null(), "{holder}");
}

#[tokio::test]
async fn a_prepared_transaction_is_named_until_it_is_ended() {
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(&cluster, "heldprepared").await;
    let sidecar = bench.start(&config(&bench)).await;
    let name = format!("two-phase-{}", bench.database.name());
    bench
        .client
        .batch_execute(&format!(
            "BEGIN; INSERT INTO outbox (aggregate_id) VALUES ('a'); PREPARE TRANSACTION '{name}'"
        ))
        .await
        .unwrap();
    let holder = holder(&sidecar, "prepared_transaction", &name).await;
    assert_eq!(holder["database"], bench.database.name());
    bench.client.batch_execute(&format!("COMMIT PREPARED '{name}'")).await.unwrap();
    nobody(&sidecar, "prepared_transaction", &name).await;
    bench.listen().wait_for(1).await;
}

#[tokio::test]
async fn a_replication_slot_that_nobody_reads_is_named_until_it_is_dropped() {
    let cluster = Cluster::start_with(Options {
        settings: vec![("wal_level".to_owned(), "logical".to_owned())],
        ..Options::default()
    })
    .await
    .unwrap();
    let bench = Bench::on(&cluster, "heldslot").await;
    let sidecar = bench.start(&config(&bench)).await;
    let admin = bench.database.connect_admin().await.unwrap();
    admin
        .execute("SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')", &[])
        .await
        .unwrap();
    let holder = holder(&sidecar, "replication_slot", "forgotten").await;
    assert_eq!(holder["state"], "inactive");
    said(&sidecar, "name=\"forgotten\"").await;
    admin.execute("SELECT pg_drop_replication_slot('forgotten')", &[]).await.unwrap();
    nobody(&sidecar, "replication_slot", "forgotten").await;
}
