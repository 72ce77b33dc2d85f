//! What the application said, and what that makes of a message.

use uuid::Uuid;

use super::Pending;
use crate::backoff::Backoff;

/// What the application said of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied, now or earlier.
    Done,
    /// It can never be applied.
    Rejected(String),
    /// It failed this time; counts against the message.
    Retry(String),
    /// The application could not be reached or did not answer for it; counts
    /// against nothing.
    Outage,
    /// The request failed as a whole, possibly because of this message; counts
    /// against nothing, but the message goes in a smaller batch next time.
    Suspect,
    /// The request was not answered at all: the application may have ended or hung
    /// because of this message. As [`Suspect`](Self::Suspect), but counts against a
    /// message that was on [`trial`](super::trial).
    BrokeOff {
        /// Whether it took too long, rather than that the connection was lost.
        timed_out: bool,
        /// What happened.
        problem: String,
    },
}

impl Outcome {
    /// Whether it is the application's own word on a message.
    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Done | Self::Rejected(_) | Self::Retry(_))
    }
}

/// How a message left the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It has been applied.
    Done,
    /// It is dead, with the reason.
    Dead(String),
}

/// What became of a batch.
#[derive(Debug)]
pub struct Completion<T> {
    /// Messages that have left the queue.
    pub settled: Vec<(Pending<T>, Settled)>,
    /// Messages that stay, and whose failure counted, with its reason.
    pub failed: Vec<(Uuid, String)>,
    /// If the batch was a trial: of which message, and what came of it.
    pub trial: Option<(Uuid, TrialEnd)>,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrialEnd {
    /// The application answered: the message is not to blame.
    Acquitted,
    /// The application broke off, and the message is to blame.
    Counted,
    /// The application broke off or was away, and it may be for another reason.
    NotCounted,
}

/// When a message is given up.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Waits between attempts.
    pub backoff: Backoff,
    /// After this many counted failures a message is dead; `None`: never.
    pub maximum_attempts: Option<u32>,
    /// After so many counted trials a message is dead; `None`: there are no trials.
    pub maximum_crashes: Option<u32>,
}

/// Whether the message has ended, and how.
pub(super) fn verdict<T>(
    pending: &mut Pending<T>,
    outcome: &Outcome,
    policy: &RetryPolicy,
    trial: Option<TrialEnd>,
) -> Option<Settled> {
    match outcome {
        Outcome::Done => Some(Settled::Done),
        Outcome::Rejected(reason) => Some(Settled::Dead(reason.clone())),
        Outcome::Retry(reason) => {
            pending.attempts = pending.attempts.saturating_add(1);
            pending.crashes = 0;
            let spent = policy.maximum_attempts.is_some_and(|maximum| pending.attempts >= maximum);
            spent.then(|| {
                Settled::Dead(format!("gave up after {} attempts: {reason}", pending.attempts))
            })
        }
        Outcome::BrokeOff { problem, .. } if trial == Some(TrialEnd::Counted) => {
            pending.crashes = pending.crashes.saturating_add(1);
            let spent = policy.maximum_crashes.is_some_and(|maximum| pending.crashes >= maximum);
            spent.then(|| {
                Settled::Dead(format!(
                    "the application broke off {} times while it had only this message: {problem}",
                    pending.crashes
                ))
            })
        }
        Outcome::Outage | Outcome::Suspect | Outcome::BrokeOff { .. } => None,
    }
}
