//! Counting live updates.

use jiff::Timestamp;
use kit::Metrics;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts};

use super::event::{Kind, LiveEvent};

const BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Clones share the metrics.
#[derive(Clone, Debug)]
pub(super) struct LiveMetrics {
    connections: IntGauge,
    events: IntCounterVec,
    delay: Histogram,
    overruns: IntCounter,
}

impl LiveMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let own = Self {
            connections: IntGauge::new(
                "gateway_live_connections",
                "Clients connected for live updates.",
            )?,
            events: IntCounterVec::new(
                Opts::new("gateway_live_events_total", "Events passed on to whoever listens."),
                &["type"],
            )?,
            delay: Histogram::with_opts(
                HistogramOpts::new(
                    "gateway_live_delay_seconds",
                    "From an event to its being passed on.",
                )
                .buckets(BUCKETS.to_vec()),
            )?,
            overruns: IntCounter::new(
                "gateway_live_overruns_total",
                "Times a slow client was told to fetch everything anew.",
            )?,
        };
        for kind in Kind::ALL {
            own.events.with_label_values(&[kind.name()]);
        }
        metrics.register(Box::new(own.connections.clone()))?;
        metrics.register(Box::new(own.events.clone()))?;
        metrics.register(Box::new(own.delay.clone()))?;
        metrics.register(Box::new(own.overruns.clone()))?;
        Ok(own)
    }

    pub(super) fn connections(&self, number: usize) {
        self.connections.set(i64::try_from(number).unwrap_or(i64::MAX));
    }

    pub(super) fn published(&self, event: &LiveEvent) {
        self.events.with_label_values(&[event.kind.name()]).inc();
        let delay = Timestamp::now().duration_since(event.at).as_secs_f64();
        self.delay.observe(delay.max(0.0));
    }

    pub(super) fn overrun(&self) {
        self.overruns.inc();
    }
}
