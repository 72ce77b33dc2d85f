//! A stop ends the process in bounded time, whatever hangs.

use std::time::{Duration, Instant};

use test_support::proxy::Proxy;

use crate::harness::{Application, Bench};

/// What Kubernetes grants by default.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_silent_connection_to_the_admin_port_does_not_hold_up_a_stop() {
    let bench = Bench::new("silent").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    let _silent = tokio::net::TcpStream::connect(config.admin.listen).await.unwrap();
    let asked = Instant::now();
    sidecar.stop().await;
    assert!(asked.elapsed() < GRACE / 2, "{:?}", asked.elapsed());
}

#[tokio::test]
async fn a_broker_that_answers_no_more_does_not_hold_up_a_stop() {
    let bench = Bench::new("stalled").await;
    let broker = test_support::kafka::Broker::start_with(test_support::kafka::Options {
        proxied: true,
        ..Default::default()
    })
    .await
    .unwrap();
    broker.server().create_topic(&bench.topic, 1).await.unwrap();
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.outboxes = bench.outbox_config().outboxes;
    config.kafka.bootstrap_servers = vec![broker.proxied_bootstrap().unwrap()];
    let sidecar = bench.start(&config).await;
    test_support::wait::until("the partition is owned", GRACE, || async {
        (sidecar.status().await["inboxes"]["things"]["ownedPartitions"] == 1).then_some(())
    })
    .await;
    let proxy: &Proxy = broker.proxy().unwrap();
    proxy.stall();
    bench.add("a", 1).await;
    sidecar.wake().await;
    let asked = Instant::now();
    sidecar.stop().await;
    assert!(asked.elapsed() < GRACE, "{:?}", asked.elapsed());
}
