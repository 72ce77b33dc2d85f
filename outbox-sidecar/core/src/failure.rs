//! Classes of failure: the class alone decides what happens next.

use std::fmt;

/// What kind of failure an error is.
///
/// Every error type of the sidecar names its class; retry policy, metric label
/// and Kubernetes condition reason all follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Something outside is unreachable or not ready (database, broker,
    /// application). Retried for ever with backoff; never counts against a row.
    Outage,
    /// One row or message can never succeed as it is. It is set aside with its
    /// reason, and the others go on.
    Poison,
    /// A setting, table or privilege is wrong. Retried slowly, because it may be
    /// mended from outside; the error says what to mend.
    Configuration,
}

impl Class {
    /// The metric label: `outage`, `poison` or `configuration`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Outage => "outage",
            Self::Poison => "poison",
            Self::Configuration => "configuration",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
