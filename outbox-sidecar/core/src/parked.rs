//! Keys that wait: what happens to a row that cannot be published, and to the
//! rows behind it.
//!
//! A row that is refused parks its key. Rows of the key that come later are
//! parked behind it without being sent, so that the key keeps its order; other
//! keys go on. The first row of the key is tried again with backoff, until it is
//! published or its attempts are used up; then it is a dead letter and the key
//! goes on with the next one. An outage is no refusal: it counts against nothing.

use std::{collections::HashSet, time::Duration};

use crate::backoff::Backoff;

/// Whether anything outside the row may make it publishable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The broker's settings may change: a topic that is missing or takes only
    /// smaller messages.
    Mendable,
    /// The row itself would have to change: headers that are no object, columns
    /// that make no topic's name. It is dead at once.
    Hopeless,
}

/// How patient an outbox is with a row that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoisonPolicy {
    /// Attempts until the row is dead, at least 1.
    pub maximum_attempts: u32,
    /// Waits between them.
    pub backoff: Backoff,
}

/// What becomes of a row that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its key waits, and it is tried again.
    Park {
        /// Attempts so far.
        attempts: u32,
        /// From now.
        retry_after: Duration,
    },
    /// It is a dead letter, and its key goes on.
    Dead {
        /// Attempts so far.
        attempts: u32,
    },
}

impl PoisonPolicy {
    /// What becomes of a row that has been refused so often before and now
    /// again. `jitter` is a random number, as for [`Backoff::delay`].
    pub fn verdict(&self, refusal: Refusal, before: u32, jitter: u64) -> Verdict {
        let attempts = before.saturating_add(1);
        if refusal == Refusal::Hopeless || attempts >= self.maximum_attempts {
            Verdict::Dead { attempts }
        } else {
            Verdict::Park { attempts, retry_after: self.backoff.delay(attempts, jitter) }
        }
    }
}

/// The keys that wait, as far as one chunk has found out.
///
/// A row without a key has no order with others: it waits for none, and none
/// waits for it.
#[derive(Clone, Debug, Default)]
pub struct WaitingKeys(HashSet<String>);

impl WaitingKeys {
    /// A row of this key waits from now on.
    pub fn park(&mut self, key: Option<&str>) {
        if let Some(key) = key
            && !self.0.contains(key)
        {
            self.0.insert(key.to_owned());
        }
    }

    /// Whether a row of this key has to wait behind an earlier one.
    pub fn has(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.0.contains(key))
    }
}

#[cfg(test)]
mod tests;
