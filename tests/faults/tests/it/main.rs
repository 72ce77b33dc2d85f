//! A short run of the fault ledger; `make faults` has longer ones.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::{sync::Arc, time::Duration};

use fault_ledger::{
    audit::Violation,
    report::Report,
    run::{Settings, run},
    schedule::Length,
};
use outbox_sidecar_core::config::Delivery;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_once_and_in_order_whatever_fails() {
    let settings = Settings {
        seed: 1,
        relays: 3,
        writers: 6,
        keys: 12,
        rate: 60,
        lease: Duration::from_secs(2),
        delivery: Delivery::default(),
        gap: Duration::from_millis(1_500),
        length: Length::Faults(14),
        logs: None,
    };
    let say = Arc::new(|line: &str| println!("{line}"));
    let outcome = run(&settings, CancellationToken::new(), say).await.unwrap();
    println!("{}", Report { settings: &settings, outcome: &outcome });
    assert_eq!(outcome.audit.violations, Vec::<Violation>::new());
    assert!(outcome.faults.len() >= 8, "faults done: {:?}", outcome.faults);
    assert!(outcome.audit.applied > 0, "nothing was written");
}
