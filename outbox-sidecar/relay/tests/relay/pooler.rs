//! Through PgBouncer in transaction mode, where every transaction may run on another connection.

use test_support::postgres::Pooler;

use crate::harness::{Application, Bench, Sidecar};

#[tokio::test]
async fn two_sidecars_publish_and_consume_through_pgbouncer_in_transaction_mode() {
    let bench = Bench::new("pooler").await;
    // Fewer than two sidecars would open, so that they get each other's.
    let pooler = Pooler::start(&bench.database, 3).await.unwrap();
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.outboxes = bench.outbox_config().outboxes;
    // A pooler carries no notifications.
    config.database.as_mut().unwrap().listen = false;
    let mut another = config.clone();
    another.admin.listen.set_port(test_support::ports::free().unwrap());
    let (first, second) = tokio::join!(
        Sidecar::start(&config, pooler.url(), &bench.files),
        Sidecar::start(&another, pooler.url(), &bench.files),
    );
    first.holds(4).await;
    second.holds(4).await;
    for number in 0..200 {
        bench.add(&format!("k{}", number % 20), number).await;
    }
    // What is published to the topic comes back from it.
    let effects = bench.wait_for_effects(200).await;
    assert_eq!(effects.len(), 200);
    for key in 0..20 {
        let key = format!("k{key}");
        let numbers: Vec<_> = effects.iter().filter(|(k, _)| *k == key).map(|(_, n)| *n).collect();
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    for (sidecar, name) in [(&first, "first"), (&second, "second")] {
        let errors = sidecar.metric("outbox_sidecar_errors_total", &[]).await;
        assert!(errors < 1.0, "{name}: {}", sidecar.process.tail(20));
    }
    first.stop().await;
    second.holds(8).await;
}
