//! What Prometheus scrapes.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::{Collector, Desc};
use prometheus::{
    Encoder, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, proto,
};

use crate::database::Database;

/// Upper bounds of the request histogram, in seconds.
const BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A service's metrics. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    in_flight: IntGauge,
    inbox_events: IntCounterVec,
}

impl Metrics {
    /// New metrics, all zero.
    ///
    /// # Errors
    ///
    /// A metric's definition is not valid, which is a fault of this crate.
    pub fn new() -> Result<Self, prometheus::Error> {
        let inner = Inner {
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("http_requests_total", "Requests answered."),
                &["listener", "method", "route", "status"],
            )?,
            duration: HistogramVec::new(
                HistogramOpts::new(
                    "http_request_duration_seconds",
                    "Time from a request's head to its response's.",
                )
                .buckets(BUCKETS.to_vec()),
                &["listener", "method", "route"],
            )?,
            in_flight: IntGauge::new("http_requests_in_flight", "Requests being answered.")?,
            inbox_events: IntCounterVec::new(
                Opts::new("inbox_events_total", "Delivered events by what became of them."),
                &["result"],
            )?,
        };
        let registry = &inner.registry;
        registry.register(Box::new(inner.requests.clone()))?;
        registry.register(Box::new(inner.duration.clone()))?;
        registry.register(Box::new(inner.in_flight.clone()))?;
        registry.register(Box::new(inner.inbox_events.clone()))?;
        Ok(Self(Arc::new(inner)))
    }

    /// Adds the state of a database's pool.
    ///
    /// # Errors
    ///
    /// A pool was added before.
    pub fn observe_pool(&self, database: &Database) -> Result<(), prometheus::Error> {
        let collector = PoolCollector::new(database.clone())?;
        self.0.registry.register(Box::new(collector))
    }

    /// Adds metrics of the service's own.
    ///
    /// # Errors
    ///
    /// One of the same name is there already.
    pub fn register(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        self.0.registry.register(collector)
    }

    /// All metrics in the Prometheus text format.
    ///
    /// # Errors
    ///
    /// A metric cannot be written, which is a fault of its definition.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.0.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Counts a request in flight until the guard is dropped.
    pub(crate) fn start_request(&self) -> InFlight {
        self.0.in_flight.inc();
        InFlight(self.0.in_flight.clone())
    }

    pub(crate) fn finish_request(&self, labels: [&str; 3], status: u16, took: Duration) {
        let [listener, method, route] = labels;
        self.0.requests.with_label_values(&[listener, method, route, &status.to_string()]).inc();
        self.0.duration.with_label_values(&[listener, method, route]).observe(took.as_secs_f64());
    }

    pub(crate) fn inbox_event(&self, result: &str) {
        self.0.inbox_events.with_label_values(&[result]).inc();
    }
}

/// A request in flight.
pub(crate) struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Reads the pool's state when it is scraped.
struct PoolCollector {
    database: Database,
    connections: IntGaugeVec,
    limit: IntGauge,
    waiting: IntGauge,
}

impl PoolCollector {
    fn new(database: Database) -> Result<Self, prometheus::Error> {
        Ok(Self {
            database,
            connections: IntGaugeVec::new(
                Opts::new("database_pool_connections", "Open connections by state."),
                &["state"],
            )?,
            limit: IntGauge::new("database_pool_connections_limit", "Connections opened at most.")?,
            waiting: IntGauge::new("database_pool_waiting", "Callers waiting for a connection.")?,
        })
    }
}

impl Collector for PoolCollector {
    fn desc(&self) -> Vec<&Desc> {
        let mut all = self.connections.desc();
        all.extend(self.limit.desc());
        all.extend(self.waiting.desc());
        all
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let status = self.database.pool_status();
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let idle = status.available.min(status.size);
        self.connections.with_label_values(&["idle"]).set(gauge(idle));
        self.connections.with_label_values(&["in_use"]).set(gauge(status.size - idle));
        self.limit.set(gauge(status.max_size));
        self.waiting.set(gauge(status.waiting));
        let mut all = self.connections.collect();
        all.extend(self.limit.collect());
        all.extend(self.waiting.collect());
        all
    }
}
