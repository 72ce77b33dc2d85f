//! Whether a message brings the application down.
//!
//! A message that has come under suspicion until it would go alone goes on
//! *trial*: no other request is under way meanwhile. If the application breaks
//! off, by losing the connection or by taking too long, the message is to blame,
//! provided that the application is otherwise well: it has answered for another
//! message since the suspicion or the trial before, and since it last broke off
//! at any message, as one that is just ending takes no other; or it has lost the
//! connection and there is no other message to ask it with. An application that
//! breaks off at everything is an outage, which counts against nothing.

use super::outcome::{Outcome, TrialEnd};

/// What tells whether the application is well.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// It has answered for another message since.
    pub answered: bool,
    /// No other message is there.
    pub alone: bool,
}

/// What came of a trial, by its message's outcome, if it has one.
pub(super) fn end(outcome: Option<&Outcome>, evidence: Evidence) -> TrialEnd {
    match outcome {
        Some(Outcome::BrokeOff { timed_out, .. })
            if evidence.answered || (evidence.alone && !timed_out) =>
        {
            TrialEnd::Counted
        }
        Some(outcome) if outcome.is_answer() => TrialEnd::Acquitted,
        _ => TrialEnd::NotCounted,
    }
}
