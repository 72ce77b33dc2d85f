//! `docs/metrics.md` names every metric of the operator, and no other.

use std::{collections::BTreeMap, time::Duration};

use outbox_operator::metrics::Metrics;

#[test]
fn every_metric_is_documented_and_every_documented_metric_is_served() {
    let documented: BTreeMap<_, _> = include_str!("../../../../docs/metrics.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `outbox_operator_"))
        .map(|row| {
            let (name, rest) = row.split_once('`').unwrap();
            (name.to_owned(), rest.split('|').nth(1).unwrap().trim().to_owned())
        })
        .collect();
    let metrics = Metrics::new().unwrap();
    // Families with labels show up with their first sample.
    metrics.admission("skipped", "windows", Duration::ZERO);
    metrics.reconciled(Some("server"), Duration::ZERO);
    metrics.relays("Ready", "True", 1);
    let text = metrics.render().unwrap();
    let served: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE outbox_operator_"))
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    assert_eq!(served, documented, "left: served, right: docs/metrics.md");
}
