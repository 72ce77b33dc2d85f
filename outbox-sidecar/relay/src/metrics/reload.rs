//! What becomes of the metrics when the configuration changes.

use std::collections::HashMap;

use jiff::Timestamp;
use outbox_sidecar_core::config::Config;
use prometheus::{
    core::{Collector as _, MetricVec, MetricVecBuilder},
    proto::MetricFamily,
};

use super::Metrics;

impl Metrics {
    /// The parts start with this configuration: what is measured of others ends.
    pub fn reconfigured(&self, config: &Config) {
        self.reload_succeeded();
        let outbox = |name: &str| config.outboxes.iter().any(|outbox| outbox.name == name);
        let inbox = |name: &str| config.inboxes.iter().any(|inbox| inbox.name() == name);
        let component = |name: &str| match name.split_once('/') {
            Some(("outbox", name)) => outbox(name),
            Some(("inbox", name)) => inbox(name),
            _ => true,
        };
        let of = &self.families;
        retain(&of.errors, "component", component);
        let counters = [
            &of.outbox_published,
            &of.outbox_dead,
            &of.outbox_retried,
            &of.outbox_purged,
            &of.outbox_restores,
        ];
        for family in counters {
            retain(family, "outbox", outbox);
        }
        let gauges = [
            &of.outbox_pending,
            &of.outbox_leases,
            &of.outbox_parked_keys,
            &of.outbox_parked_rows,
            &of.outbox_dead_present,
        ];
        for family in gauges {
            retain(family, "outbox", outbox);
        }
        retain(&of.outbox_oldest, "outbox", outbox);
        retain(&of.outbox_latency, "outbox", outbox);
        let counters = [
            &of.inbox_received,
            &of.inbox_duplicates,
            &of.inbox_delivered,
            &of.inbox_crashes,
            &of.inbox_redriven,
            &of.inbox_purged,
            &of.inbox_dropped,
        ];
        for family in counters {
            retain(family, "inbox", inbox);
        }
        for family in
            [&of.inbox_queued, &of.inbox_queued_bytes, &of.inbox_parked, &of.inbox_dead_present]
        {
            retain(family, "inbox", inbox);
        }
        retain(&of.inbox_latency, "inbox", inbox);
        // Told again for the partitions that will be owned.
        of.inbox_lag.reset();
    }

    /// What the file holds is what the sidecar runs with.
    pub fn reload_succeeded(&self) {
        self.families.reload_successful.set(1);
        self.families.reload_success_time.set(Timestamp::now().as_second() as f64);
    }

    /// What the file holds cannot be used.
    pub fn reload_failed(&self) {
        self.families.reload_failures.inc();
        self.families.reload_successful.set(0);
    }
}

/// Removes the metrics whose label has a value that is no longer one.
fn retain<B: MetricVecBuilder>(family: &MetricVec<B>, label: &str, keep: impl Fn(&str) -> bool) {
    for metric in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let labels: HashMap<&str, &str> =
            metric.get_label().iter().map(|pair| (pair.name(), pair.value())).collect();
        if labels.get(label).is_some_and(|value| !keep(value)) {
            // An error only says that it is gone already.
            let _ = family.remove(&labels);
        }
    }
}
