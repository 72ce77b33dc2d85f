//! Watching who holds the transaction horizon.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidConfig, Period};

/// Transactions, prepared transactions and replication slots that hold up the
/// database: see [`crate::horizon`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Horizon {
    /// What holds it for so long is named in the log, at least `1s`. Default: `60s`.
    pub warn_after: Period,
}

impl Default for Horizon {
    fn default() -> Self {
        Self { warn_after: Period::from_secs(60) }
    }
}

impl Horizon {
    pub(super) fn validate(&self) -> Result<(), InvalidConfig> {
        if self.warn_after < Period::from_secs(1) {
            return Err(InvalidConfig::at_path("horizon.warnAfter".into(), "must be at least 1s"));
        }
        Ok(())
    }
}
