//! `docs/metrics.md` names every metric of the sidecar, and no other.

use std::{collections::BTreeMap, time::Duration};

use super::*;

/// Type and labels by name.
type Families = BTreeMap<String, (String, Vec<String>)>;

fn documented() -> Families {
    let rows = include_str!("../../../../docs/metrics.md").lines();
    rows.filter(|line| line.starts_with("| `outbox_sidecar_"))
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().replace('`', "")).collect();
            let mut labels: Vec<_> =
                cells[3].split(", ").filter(|label| !label.is_empty()).map(str::to_owned).collect();
            labels.sort();
            (cells[1].clone(), (cells[2].clone(), labels))
        })
        .collect()
}

/// Every family with a sample: those with labels show up with their first.
fn served() -> Families {
    let metrics = Metrics::new().unwrap();
    metrics.error("schema", Class::Outage);
    metrics.horizon(&[]);
    metrics.outbox("things").pending(0, Some(0.0));
    let inbox = metrics.inbox("things");
    inbox.dropped("expired", 1);
    inbox.delivered(1, 0, 0, Duration::ZERO);
    inbox.lag("topic", 0, 0);
    let families = metrics.registry.gather();
    families
        .iter()
        .map(|family| {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let mut labels: Vec<_> = family.get_metric()[0]
                .get_label()
                .iter()
                .map(|label| label.name().to_owned())
                .collect();
            labels.sort();
            (family.name().to_owned(), (kind, labels))
        })
        .collect()
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_is_served() {
    assert_eq!(served(), documented(), "left: served, right: docs/metrics.md");
}

#[test]
fn every_metric_is_served_under_a_name_of_the_list() {
    let mut listed: Vec<_> = include_str!("names.rs")
        .lines()
        .filter_map(|line| line.split('"').nth(1))
        .filter(|name| name.starts_with("outbox_sidecar_"))
        .map(str::to_owned)
        .collect();
    listed.sort();
    let served: Vec<_> = served().into_keys().collect();
    assert_eq!(listed, served, "left: names.rs, right: served");
}
