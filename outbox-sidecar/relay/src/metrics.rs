//! Prometheus metrics. Names and labels are listed in `docs/metrics.md`.

pub mod names;
mod reload;

use std::{sync::Arc, time::Duration};

use outbox_sidecar_core::{
    failure::Class,
    horizon::{Holder, Kind},
};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use crate::outbox::parked::Counts;

/// From half a millisecond to a minute and a half, doubling.
const LATENCY_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 15.0, 90.0];

/// All metrics of a sidecar.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
}

struct Families {
    errors: IntCounterVec,
    reload_failures: IntCounter,
    reload_successful: IntGauge,
    reload_success_time: Gauge,
    horizon_age: GaugeVec,
    outbox_published: IntCounterVec,
    outbox_dead: IntCounterVec,
    outbox_latency: HistogramVec,
    outbox_pending: IntGaugeVec,
    outbox_oldest: GaugeVec,
    outbox_leases: IntGaugeVec,
    outbox_parked_keys: IntGaugeVec,
    outbox_parked_rows: IntGaugeVec,
    outbox_dead_present: IntGaugeVec,
    outbox_retried: IntCounterVec,
    outbox_purged: IntCounterVec,
    outbox_restores: IntCounterVec,
    inbox_received: IntCounterVec,
    inbox_duplicates: IntCounterVec,
    inbox_delivered: IntCounterVec,
    inbox_latency: HistogramVec,
    inbox_queued: IntGaugeVec,
    inbox_queued_bytes: IntGaugeVec,
    inbox_parked: IntGaugeVec,
    inbox_lag: IntGaugeVec,
    inbox_dead_present: IntGaugeVec,
    inbox_crashes: IntCounterVec,
    inbox_redriven: IntCounterVec,
    inbox_purged: IntCounterVec,
    inbox_dropped: IntCounterVec,
}

/// The metrics of one outbox.
#[derive(Clone)]
pub struct OutboxMetrics {
    published: IntCounter,
    dead: IntCounter,
    latency: Histogram,
    pending: IntGauge,
    name: String,
    oldest: prometheus::GaugeVec,
    leases: IntGauge,
    parked_keys: IntGauge,
    parked_rows: IntGauge,
    dead_present: IntGauge,
    retried: IntCounter,
    purged: IntCounter,
    restores: IntCounter,
}

/// The metrics of one inbox.
#[derive(Clone)]
pub struct InboxMetrics {
    name: String,
    received: IntCounter,
    duplicates: IntCounter,
    delivered: IntCounterVec,
    latency: Histogram,
    queued: IntGauge,
    queued_bytes: IntGauge,
    parked: IntGauge,
    lag: IntGaugeVec,
    dead_present: IntGauge,
    crashes: IntCounter,
    redriven: IntCounter,
    purged: IntCounter,
    dropped: IntCounterVec,
}

impl Metrics {
    /// A registry with every family in it.
    ///
    /// # Errors
    /// Never, unless two families had the same name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            registered(&registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            let options = HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec());
            registered(&registry, HistogramVec::new(options, labels)?)
        };
        let (outbox, inbox) = (&["outbox"][..], &["inbox"][..]);
        let families = Families {
            errors: counter(
                names::ERRORS_TOTAL,
                "Errors that made a component start anew.",
                &["component", "class"],
            )?,
            reload_failures: registered(
                &registry,
                IntCounter::new(
                    names::CONFIG_RELOAD_FAILURES_TOTAL,
                    "Changes of the configuration that could not be used.",
                )?,
            )?,
            reload_successful: registered(
                &registry,
                IntGauge::new(
                    names::CONFIG_LAST_RELOAD_SUCCESSFUL,
                    "1 if the configuration in use is what the file holds, 0 if that cannot be used.",
                )?,
            )?,
            reload_success_time: registered(
                &registry,
                Gauge::new(
                    names::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP_SECONDS,
                    "When the file was last found usable, at the start or after a change, in Unix time.",
                )?,
            )?,
            horizon_age: registered(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        names::HORIZON_AGE_SECONDS,
                        "How long the database's transaction horizon has been held; the longest of each kind.",
                    ),
                    &["kind"],
                )?,
            )?,
            outbox_published: counter(
                names::OUTBOX_PUBLISHED_TOTAL,
                "Rows acknowledged by the broker and passed by the cursor.",
                outbox,
            )?,
            outbox_dead: counter(
                names::OUTBOX_DEAD_LETTERS_TOTAL,
                "Rows that can never be published, set aside with their reason.",
                outbox,
            )?,
            outbox_latency: histogram(
                names::OUTBOX_PUBLISH_LATENCY_SECONDS,
                "From a row's creation to the broker's acknowledgement; the oldest row of each chunk.",
                outbox,
            )?,
            outbox_pending: gauge(
                names::OUTBOX_PENDING_ROWS,
                "Committed rows not yet published, in the buckets held here; counted up to 100000 per lane.",
                outbox,
            )?,
            outbox_oldest: registered(
                &registry,
                GaugeVec::new(
                    Opts::new(
                        names::OUTBOX_OLDEST_PENDING_AGE_SECONDS,
                        "Age of the oldest committed row not yet published; 0 if there is none.",
                    ),
                    outbox,
                )?,
            )?,
            outbox_leases: gauge(
                names::OUTBOX_LEASED_BUCKETS,
                "Buckets this relay publishes.",
                outbox,
            )?,
            outbox_parked_keys: gauge(
                names::OUTBOX_PARKED_KEYS,
                "Keys waiting for a refused row to be tried again, in the buckets held here.",
                outbox,
            )?,
            outbox_parked_rows: gauge(
                names::OUTBOX_PARKED_ROWS,
                "Rows of those keys, counted up to 100000.",
                outbox,
            )?,
            outbox_dead_present: gauge(
                names::OUTBOX_DEAD_LETTERS_PRESENT,
                "Dead letters nobody has decided on, in the buckets held here; counted up to 100000.",
                outbox,
            )?,
            outbox_retried: counter(
                names::OUTBOX_RETRIED_TOTAL,
                "Rows published after they had been parked.",
                outbox,
            )?,
            outbox_purged: counter(
                names::OUTBOX_PURGED_TOTAL,
                "Published rows deleted after their retention.",
                outbox,
            )?,
            outbox_restores: counter(
                names::OUTBOX_RESTORES_TOTAL,
                "Times that the database was found to be restored into another cluster.",
                outbox,
            )?,
            inbox_received: counter(
                names::INBOX_RECEIVED_TOTAL,
                "Messages stored for the first time, or received by an inbox without a table.",
                inbox,
            )?,
            inbox_duplicates: counter(
                names::INBOX_DUPLICATES_TOTAL,
                "Messages received that were stored before.",
                inbox,
            )?,
            inbox_delivered: counter(
                names::INBOX_DELIVERED_TOTAL,
                "Messages the application was given, by outcome: applied, dead or retry.",
                &["inbox", "outcome"],
            )?,
            inbox_latency: histogram(
                names::INBOX_DELIVERY_DURATION_SECONDS,
                "How long the application took for a request.",
                inbox,
            )?,
            inbox_queued: gauge(
                names::INBOX_QUEUED_MESSAGES,
                "Messages in memory, waiting or in flight.",
                inbox,
            )?,
            inbox_queued_bytes: gauge(
                names::INBOX_QUEUED_BYTES,
                "Bytes of the messages in memory.",
                inbox,
            )?,
            inbox_parked: gauge(
                names::INBOX_PARKED_KEYS,
                "Keys waiting to be tried again.",
                inbox,
            )?,
            inbox_lag: gauge(
                names::INBOX_CONSUMER_LAG,
                "Messages in the broker beyond the committed offset.",
                &["inbox", "topic", "partition"],
            )?,
            inbox_dead_present: gauge(
                names::INBOX_DEAD_LETTERS_PRESENT,
                "Dead letters nobody has decided on, in the partitions owned here; counted up to 100000.",
                inbox,
            )?,
            inbox_crashes: counter(
                names::INBOX_CRASHES_TOTAL,
                "How often the application broke off while it had a single message that is to blame.",
                inbox,
            )?,
            inbox_redriven: counter(
                names::INBOX_REDRIVEN_TOTAL,
                "Dead letters given to the delivery again.",
                inbox,
            )?,
            inbox_purged: counter(
                names::INBOX_PURGED_TOTAL,
                "Applied messages deleted after their retention.",
                inbox,
            )?,
            inbox_dropped: counter(
                names::INBOX_DROPPED_TOTAL,
                "Messages of an inbox without a table dropped, by reason: expired, overflow or rejected.",
                &["inbox", "reason"],
            )?,
        };
        Ok(Self { registry, families: Arc::new(families) })
    }

    /// The metrics of one outbox.
    pub fn outbox(&self, name: &str) -> OutboxMetrics {
        let (families, labels) = (&self.families, [name]);
        OutboxMetrics {
            published: families.outbox_published.with_label_values(&labels),
            dead: families.outbox_dead.with_label_values(&labels),
            latency: families.outbox_latency.with_label_values(&labels),
            pending: families.outbox_pending.with_label_values(&labels),
            name: name.to_owned(),
            oldest: families.outbox_oldest.clone(),
            leases: families.outbox_leases.with_label_values(&labels),
            parked_keys: families.outbox_parked_keys.with_label_values(&labels),
            parked_rows: families.outbox_parked_rows.with_label_values(&labels),
            dead_present: families.outbox_dead_present.with_label_values(&labels),
            retried: families.outbox_retried.with_label_values(&labels),
            purged: families.outbox_purged.with_label_values(&labels),
            restores: families.outbox_restores.with_label_values(&labels),
        }
    }

    /// The metrics of one inbox.
    pub fn inbox(&self, name: &str) -> InboxMetrics {
        let (families, labels) = (&self.families, [name]);
        InboxMetrics {
            name: name.to_owned(),
            received: families.inbox_received.with_label_values(&labels),
            duplicates: families.inbox_duplicates.with_label_values(&labels),
            delivered: families.inbox_delivered.clone(),
            latency: families.inbox_latency.with_label_values(&labels),
            queued: families.inbox_queued.with_label_values(&labels),
            queued_bytes: families.inbox_queued_bytes.with_label_values(&labels),
            parked: families.inbox_parked.with_label_values(&labels),
            lag: families.inbox_lag.clone(),
            dead_present: families.inbox_dead_present.with_label_values(&labels),
            crashes: families.inbox_crashes.with_label_values(&labels),
            redriven: families.inbox_redriven.with_label_values(&labels),
            purged: families.inbox_purged.with_label_values(&labels),
            dropped: families.inbox_dropped.clone(),
        }
    }

    /// Those who hold the database's transaction horizon, the longest first.
    pub(crate) fn horizon(&self, holders: &[Holder]) {
        for kind in Kind::ALL.map(Kind::label) {
            let longest = holders.iter().find(|holder| holder.kind == kind);
            self.families
                .horizon_age
                .with_label_values(&[kind])
                .set(longest.map_or(0.0, |holder| holder.held_seconds));
        }
    }

    /// Counts an error of a component such as `outbox/orders`.
    pub fn error(&self, component: &str, class: Class) {
        self.families.errors.with_label_values(&[component, class.label()]).inc();
    }

    /// The text exposition format.
    ///
    /// # Errors
    /// A metric could not be written as text.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

impl OutboxMetrics {
    pub(crate) fn published(&self, rows: usize, dead: usize, oldest_latency_seconds: Option<f64>) {
        self.published.inc_by(rows as u64);
        self.dead.inc_by(dead as u64);
        if let Some(latency) = oldest_latency_seconds.filter(|_| rows > 0) {
            self.latency.observe(latency);
        }
    }

    pub(crate) fn pending(&self, rows: i64, oldest_age_seconds: Option<f64>) {
        self.pending.set(rows);
        if let Some(age) = oldest_age_seconds {
            self.oldest.with_label_values(&[self.name.as_str()]).set(age);
        }
    }

    pub(crate) fn waiting(&self, counts: Counts) {
        self.parked_keys.set(counts.keys);
        self.parked_rows.set(counts.rows);
        self.dead_present.set(counts.dead);
    }

    pub(crate) fn retried(&self, rows: usize) {
        self.retried.inc_by(rows as u64);
    }

    pub(crate) fn holding(&self, buckets: usize) {
        self.leases.set(i64::try_from(buckets).unwrap_or(i64::MAX));
    }

    pub(crate) fn purged(&self, rows: u64) {
        self.purged.inc_by(rows);
    }

    /// The database has been restored; `news` says that it was noticed just now.
    pub(crate) fn restored(&self, news: bool) {
        self.restores.inc_by(news.into());
    }
}

impl InboxMetrics {
    pub(crate) fn received(&self, new: usize, duplicates: usize) {
        self.received.inc_by(new as u64);
        self.duplicates.inc_by(duplicates as u64);
    }

    pub(crate) fn delivered(&self, applied: usize, dead: usize, retry: usize, took: Duration) {
        for (outcome, messages) in [("applied", applied), ("dead", dead), ("retry", retry)] {
            self.delivered
                .with_label_values(&[self.name.as_str(), outcome])
                .inc_by(messages as u64);
        }
        self.latency.observe(took.as_secs_f64());
    }

    pub(crate) fn queue(&self, messages: usize, bytes: usize, parked: usize) {
        self.queued.set(i64::try_from(messages).unwrap_or(i64::MAX));
        self.queued_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.parked.set(i64::try_from(parked).unwrap_or(i64::MAX));
    }

    pub(crate) fn dropped(&self, reason: &str, messages: usize) {
        self.dropped.with_label_values(&[self.name.as_str(), reason]).inc_by(messages as u64);
    }

    pub(crate) fn dead(&self, messages: i64) {
        self.dead_present.set(messages);
    }

    pub(crate) fn crashed(&self) {
        self.crashes.inc();
    }

    pub(crate) fn redriven(&self, messages: usize) {
        self.redriven.inc_by(messages as u64);
    }

    pub(crate) fn lag(&self, topic: &str, partition: i32, messages: i64) {
        self.lag
            .with_label_values(&[self.name.as_str(), topic, &partition.to_string()])
            .set(messages);
    }

    /// Another consumer owns the partition; its lag is told there.
    pub(crate) fn lost(&self, topic: &str, partition: i32) {
        // An error only says that no lag was told yet.
        let _ = self.lag.remove_label_values(&[self.name.as_str(), topic, &partition.to_string()]);
    }

    pub(crate) fn purged(&self, rows: u64) {
        self.purged.inc_by(rows);
    }
}

#[cfg(test)]
mod tests;
