//! Prometheus metrics. Names and labels are listed in `docs/metrics.md`.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

/// Upper bounds, in seconds.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 5.0, 10.0];

/// All metrics of an operator; clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    families: Arc<Families>,
}

struct Families {
    admissions: IntCounterVec,
    admission_duration: Histogram,
    reconciles: IntCounterVec,
    reconcile_duration: Histogram,
    reconcile_errors: IntCounterVec,
    relays: IntGaugeVec,
    unreadable: IntGauge,
    certificate_expiry: IntGauge,
    leader: IntGauge,
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
        let gauge = |name: &str, help: &str| registered(&registry, IntGauge::new(name, help)?);
        let histogram = |name: &str, help: &str| {
            let options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            registered(&registry, Histogram::with_opts(options)?)
        };
        let relays = Opts::new("outbox_operator_relays", "Relays by the state of each condition.");
        let families = Families {
            admissions: counter(
                "outbox_operator_admissions_total",
                "Pods the webhook was asked about, by what became of them.",
                &["outcome", "reason"],
            )?,
            admission_duration: histogram(
                "outbox_operator_admission_duration_seconds",
                "How long an answer of the webhook took.",
            )?,
            reconciles: counter(
                "outbox_operator_reconciles_total",
                "Looks at a relay, by their result.",
                &["result"],
            )?,
            reconcile_duration: histogram(
                "outbox_operator_reconcile_duration_seconds",
                "How long a look at a relay took.",
            )?,
            reconcile_errors: counter(
                "outbox_operator_reconcile_errors_total",
                "Looks at a relay that failed, by the kind of error.",
                &["class"],
            )?,
            relays: registered(&registry, IntGaugeVec::new(relays, &["condition", "status"])?)?,
            unreadable: gauge(
                "outbox_operator_unreadable_relays",
                "Relays whose object cannot be read at all.",
            )?,
            certificate_expiry: gauge(
                "outbox_operator_certificate_expiry_timestamp_seconds",
                "When the serving certificate in use expires, in seconds since 1970; 0 without one.",
            )?,
            leader: gauge("outbox_operator_leader", "Whether this replica leads: 1 or 0.")?,
        };
        Ok(Self { registry, families: Arc::new(families) })
    }

    /// The text that Prometheus reads.
    ///
    /// # Errors
    /// Never, as long as all families are well-formed.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The webhook has answered.
    pub fn admission(&self, outcome: &str, reason: &str, took: Duration) {
        self.families.admissions.with_label_values(&[outcome, reason]).inc();
        self.families.admission_duration.observe(took.as_secs_f64());
    }

    /// A relay was looked at.
    pub fn reconciled(&self, error: Option<&str>, took: Duration) {
        let result = if error.is_some() { "error" } else { "ok" };
        self.families.reconciles.with_label_values(&[result]).inc();
        self.families.reconcile_duration.observe(took.as_secs_f64());
        if let Some(class) = error {
            self.families.reconcile_errors.with_label_values(&[class]).inc();
        }
    }

    /// How many relays have this condition in this state.
    pub fn relays(&self, condition: &str, status: &str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.families.relays.with_label_values(&[condition, status]).set(count);
    }

    /// How many relays cannot be read.
    pub fn unreadable(&self, count: usize) {
        self.families.unreadable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// When the serving certificate in use expires.
    pub fn certificate_expires(&self, at: Option<Timestamp>) {
        self.families.certificate_expiry.set(at.map_or(0, Timestamp::as_second));
    }

    /// Whether this replica leads.
    pub fn leads(&self, leads: bool) {
        self.families.leader.set(i64::from(leads));
    }
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
