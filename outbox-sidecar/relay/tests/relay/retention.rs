//! What is deleted, and above all what is not.

use outbox_sidecar::{inbox::retention::purge_inbox, outbox::retention::purge_outbox};
use test_support::{postgres::Cluster, wait};

use crate::harness::{Application, Bench, PATIENCE, insert, pool, stored};

async fn count(bench: &Bench, table: &str) -> i64 {
    bench.client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn old_rows_are_deleted_only_once_they_are_published() {
    // A server of its own: what other tests leave open holds the horizon too.
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(&cluster, "purge").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].retention = "1h".parse().unwrap();
    let sidecar = bench.start(&config).await;
    // Open since before the others, and committed after they are published.
    let mut slow = bench.database.connect().await.unwrap();
    let transaction = slow.transaction().await.unwrap();
    insert(&transaction, "slow", 0).await;
    transaction
        .execute("UPDATE outbox SET created_at = now() - interval '2 hours'", &[])
        .await
        .unwrap();
    for number in 1..=10 {
        bench.add("a", number).await;
    }
    bench.client.execute("UPDATE outbox SET created_at = now() - interval '2 hours' WHERE (payload->>'number')::int <= 6", &[]).await.unwrap();
    sidecar.wake().await;
    let mut listener = bench.listen();
    listener.wait_for(10).await;
    sidecar.stop().await;
    transaction.commit().await.unwrap();

    let pool = pool(&bench);
    let mut deleted = 0;
    loop {
        let (rows, more) =
            purge_outbox(&pool, &config.outboxes[0], &config.outboxes[0].table).await.unwrap();
        deleted += rows;
        if !more {
            break;
        }
    }
    // The open transaction holds the horizon: nothing after its start may go yet.
    assert_eq!(deleted, 0);
    assert_eq!(count(&bench, "outbox").await, 11);

    let sidecar = bench.start(&config).await;
    listener.wait_for(11).await;
    sidecar.stop().await;
    let (rows, _) =
        purge_outbox(&pool, &config.outboxes[0], &config.outboxes[0].table).await.unwrap();
    assert_eq!(rows, 7, "six old ones and the late one");
    assert_eq!(count(&bench, "outbox").await, 4, "the young ones stay");
}

#[tokio::test]
async fn applied_messages_are_deleted_after_their_retention_and_dead_ones_stay() {
    let bench = Bench::new("purgeinbox").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, |event| {
        if event["data"]["number"] == 3 {
            ("rejected", "no threes".into())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    let mut config = bench.inbox_config(&application);
    stored(&mut config).retention = "1h".parse().unwrap();
    let sidecar = bench.start(&config).await;
    for number in 1..=4 {
        bench.send("a", number).await;
    }
    bench.wait_for_effects(3).await;
    wait::until("the third is dead", PATIENCE, || async {
        bench.client.query_opt("SELECT 1 FROM inbox WHERE dead_at IS NOT NULL", &[]).await.unwrap()
    })
    .await;
    sidecar.stop().await;
    bench
        .client
        .execute("UPDATE inbox SET received_at = received_at - interval '2 hours', processed_at = processed_at - interval '2 hours' WHERE kafka_offset < 3", &[])
        .await
        .unwrap();
    let (rows, more) = purge_inbox(&pool(&bench), stored(&mut config)).await.unwrap();
    assert_eq!((rows, more), (2, false));
    assert_eq!(count(&bench, "inbox").await, 2);
}
