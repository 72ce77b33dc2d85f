//! The steps of something that goes through several services, each as it was
//! noted by the one that took it.

use jiff::Timestamp;
use serde::Serialize;

/// A step, and when it was taken by the clock of the database that notes it, or
/// of Kafka.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// What happened.
    pub step: &'static str,
    /// When.
    pub at: Timestamp,
}

impl Step {
    /// A step if it is known when it was taken.
    #[must_use]
    pub fn at(step: &'static str, at: Option<Timestamp>) -> Option<Self> {
        at.map(|at| Self { step, at })
    }
}
