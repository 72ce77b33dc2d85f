//! Counting what is refused at the door.

use kit::Metrics;
use prometheus::{IntCounterVec, Opts};

/// Why a request was refused before it reached a service.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reason {
    /// It has no valid token.
    Unauthenticated,
    /// Its token could not be verified for want of keys.
    KeysUnavailable,
    /// What it asks for is another user's.
    Forbidden,
    /// Its identity has asked too often.
    IdentityLimit,
    /// Its address has asked too often.
    AddressLimit,
    /// There are as many live connections as there may be.
    ConnectionLimit,
}

impl Reason {
    fn label(self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Forbidden => "forbidden",
            Self::IdentityLimit => "identity_limit",
            Self::AddressLimit => "address_limit",
            Self::ConnectionLimit => "connection_limit",
        }
    }
}

/// Counts refused requests by their reason. Clones share the counter.
#[derive(Clone, Debug)]
pub(crate) struct Refusals(IntCounterVec);

impl Refusals {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, prometheus::Error> {
        let opts = Opts::new(
            "gateway_refused_requests_total",
            "Requests refused at the gateway, by reason.",
        );
        let counter = IntCounterVec::new(opts, &["reason"])?;
        metrics.register(Box::new(counter.clone()))?;
        Ok(Self(counter))
    }

    pub(crate) fn count(&self, reason: Reason) {
        self.0.with_label_values(&[reason.label()]).inc();
    }
}
