//! The Kafka client's own voice in the sidecar's log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use outbox_sidecar_core::failure::Class;
use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError};

use crate::error::kafka_class;

/// Whether the brokers can be reached, as far as a client has noticed.
#[derive(Clone, Debug, Default)]
pub struct BrokerHealth {
    all_down: Arc<AtomicBool>,
    /// Whether it has been said that a broker and this client do not trust each other.
    refused: Arc<AtomicBool>,
}

impl BrokerHealth {
    /// Whether all brokers are known to be down.
    pub fn all_down(&self) -> bool {
        self.all_down.load(Ordering::Relaxed)
    }

    /// Something worked.
    pub fn reached(&self) {
        self.all_down.store(false, Ordering::Relaxed);
        self.refused.store(false, Ordering::Relaxed);
    }

    /// Notes an error of the client, and logs the first of an outage.
    pub(crate) fn note(&self, error: &KafkaError, reason: &str) {
        let down =
            error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::AllBrokersDown);
        if down {
            if !self.all_down.swap(true, Ordering::Relaxed) {
                tracing::warn!(reason, "no kafka broker can be reached; waiting for one");
            }
        } else if kafka_class(error) == Class::Configuration {
            // TLS or authentication: otherwise only timeouts would be seen of it.
            if !self.refused.swap(true, Ordering::Relaxed) {
                tracing::warn!(error = %error, reason, "a kafka broker cannot be used as configured");
            }
        } else {
            tracing::debug!(error = %error, reason, "kafka client error");
        }
    }
}

/// The context of producers and admin clients.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Told of outages.
    pub health: BrokerHealth,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.note(&error, reason);
    }
}

/// librdkafka repeats itself once per broker and attempt; what matters reaches
/// the log through the error callback, so its own lines are for debugging.
pub(crate) fn forward(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        // A producer that cannot go on; whoever uses it is told, and makes a new one.
        RDKafkaLogLevel::Emerg if facility == "FATAL" => {
            tracing::debug!(facility, message, "librdkafka");
        }
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "librdkafka");
        }
        _ => tracing::debug!(facility, message, "librdkafka"),
    }
}
