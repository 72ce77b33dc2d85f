//! Conditions: what is so, since when, and what to do about it.

use std::fmt;

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

/// The longest message; the rest is cut. Far below what the API takes, and
/// enough for a person to act on.
const LONGEST_MESSAGE: usize = 900;

/// What a condition is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// All of the others together.
    Ready,
    /// Whether the pods have the sidecar that the relay describes.
    Injected,
    /// Whether rows get to Kafka.
    OutboxFlowing,
    /// Whether messages get to the application.
    InboxFlowing,
}

/// Whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    True,
    /// It is not.
    False,
    /// It cannot be told.
    Unknown,
}

/// Why; `docs/operator.md` says for each what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Everything that is configured is carried.
    AllFlowing,
    /// Every pod has the sidecar, as it would be injected now.
    AllInjected,
    /// Another object has the name of the relay's `ConfigMap`.
    ConfigMapConflict,
    /// Every part carries what there is.
    Flowing,
    /// The `spec` cannot be used; what ran before goes on.
    InvalidSpec,
    /// Nobody publishes some buckets of an outbox.
    BucketsNotLeased,
    /// No running pod asks for this relay.
    NoPods,
    /// The relay has no part of this kind.
    NotConfigured,
    /// A sidecar refuses the configuration and goes on with the one before.
    ConfigRefused,
    /// Pods run a sidecar that is not the one described.
    Outdated,
    /// Sidecars do not run with this configuration yet.
    Reloading,
    /// No sidecar of an inbox has partitions of its topics.
    PartitionsNotAssigned,
    /// Pods were made while the webhook did not answer, or before the relay.
    SidecarMissing,
    /// A sidecar's container cannot be started.
    SidecarNotStarting,
    /// Sidecars are being started.
    Starting,
    /// No sidecar answers the operator.
    Unreachable,
    /// A sidecar says what it waits for.
    Waiting,
}

impl ConditionType {
    /// The value of the field `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Injected => "Injected",
            Self::OutboxFlowing => "OutboxFlowing",
            Self::InboxFlowing => "InboxFlowing",
        }
    }
}

impl State {
    /// The value of the field `status`.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What was found about one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is so.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// For a person: what is wrong, and what to do.
    pub message: String,
}

impl Verdict {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::True, reason, message: message.into() }
    }

    /// It is not so.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::False, reason, message: message.into() }
    }

    /// It cannot be told.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { state: State::Unknown, reason, message: message.into() }
    }
}

/// The new conditions: `verdicts` over `previous`. The time of a transition
/// changes only with the state; whatever else was there goes.
pub fn merge(
    previous: &[Condition],
    verdicts: &[(ConditionType, Verdict)],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let of_type = |name: &str| previous.iter().find(|condition| condition.type_ == name);
    verdicts
        .iter()
        .map(|(kind, verdict)| {
            let since = of_type(kind.name())
                .filter(|before| before.status == verdict.state.name())
                .map_or(Time(now), |before| before.last_transition_time.clone());
            Condition {
                type_: kind.name().to_owned(),
                status: verdict.state.name().to_owned(),
                reason: verdict.reason.to_string(),
                message: cut(&verdict.message),
                observed_generation: generation,
                last_transition_time: since,
            }
        })
        .collect()
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        None => message.to_owned(),
        Some((end, _)) => format!("{}…", &message[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ready(verdict: Verdict) -> [(ConditionType, Verdict); 1] {
        [(ConditionType::Ready, verdict)]
    }

    #[test]
    fn the_time_of_a_transition_changes_only_with_the_state() {
        let flowing = ready(Verdict::yes(Reason::AllFlowing, "fine"));
        let waiting = ready(Verdict::no(Reason::Waiting, "waits for kafka"));
        let worse = ready(Verdict::no(Reason::InvalidSpec, "no"));
        let first = merge(&[], &flowing, Some(1), at(10));
        let same = merge(&first, &flowing, Some(1), at(20));
        assert_eq!(first, same);
        let down = merge(&same, &waiting, Some(1), at(30));
        assert_eq!(down[0].last_transition_time, Time(at(30)));
        let still_down = merge(&down, &worse, Some(2), at(40));
        assert_eq!(still_down[0].last_transition_time, Time(at(30)));
        assert_eq!(still_down[0].reason, "InvalidSpec");
        assert_eq!(still_down[0].observed_generation, Some(2));
    }

    #[test]
    fn a_message_without_end_is_cut_between_characters() {
        let verdicts = ready(Verdict::no(Reason::Waiting, "ä".repeat(5_000)));
        let message = &merge(&[], &verdicts, None, at(0))[0].message;
        assert_eq!(message.chars().count(), LONGEST_MESSAGE + 1);
    }
}
