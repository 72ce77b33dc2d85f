//! What a sidecar costs while there is nothing to do.

use std::time::Duration;

use test_support::wait;

use crate::harness::{Application, Bench, PATIENCE};

const WATCHED: Duration = Duration::from_secs(10);

/// How often, at most.
const SPANS: usize = 5;

#[tokio::test]
async fn an_idle_sidecar_costs_little() {
    let bench = Bench::new("idle").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.outboxes = bench.outbox_config().outboxes;
    let sidecar = bench.start(&config).await;
    bench.send("a", 1).await;
    bench.wait_for_effects(1).await;
    wait::until("the outbox is read", PATIENCE, || async {
        sidecar.status().await["outboxes"]["things"]["lastPassAt"].as_str().map(|_| ())
    })
    .await;
    // From a database of its own, whose transactions are not counted.
    let watcher = test_support::fixtures::postgres().await.admin("postgres").await.unwrap();
    let count = || async {
        let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        watcher.query_one(sql, &[&bench.database.name()]).await.unwrap().get::<_, i64>(0)
    };
    // The server's own housekeeping in a database that is new counts as well, and so may what
    // came before: of several spans one must be quiet.
    let mut spans = Vec::new();
    for _ in 0..SPANS {
        let before = (count().await, processor_ticks(sidecar.process.id()));
        tokio::time::sleep(WATCHED).await;
        let transactions = count().await - before.0;
        let ticks = processor_ticks(sidecar.process.id()) - before.1;
        spans.push((transactions, ticks));
        if (1..=50).contains(&transactions) && ticks <= 100 {
            return;
        }
    }
    panic!("transactions and hundredths of a second of work in {WATCHED:?}: {spans:?}");
}

/// User and system time of a process, in hundredths of a second.
fn processor_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}
