//! What happens to rows that cannot be published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    backoff::Backoff,
    config::{InvalidConfig, Period},
    parked::PoisonPolicy,
    route::{TopicTemplate, topic_problem},
};

/// What happens to a row that cannot be published: its key waits, and it is
/// tried again; when its attempts are used up it is a dead letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = crate::config::schema::structural)]
pub struct Poison {
    /// Attempts until the row is dead, 1 to 1000000; with 1 no key ever waits.
    /// An outage does not count. Default: 10.
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub maximum_attempts: u32,
    /// Waits between attempts double from here. Default: `1s`.
    pub initial_backoff: Period,
    /// No wait is longer. Default: `1m`.
    pub maximum_backoff: Period,
    /// A topic that dead letters go to as well, with headers that say why; absent:
    /// they are only kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub dead_letter_topic: Option<String>,
}

impl Default for Poison {
    fn default() -> Self {
        Self {
            maximum_attempts: 10,
            initial_backoff: Period::from_secs(1),
            maximum_backoff: Period::from_secs(60),
            dead_letter_topic: None,
        }
    }
}

impl Poison {
    /// The policy for rows that are refused.
    pub fn policy(&self) -> PoisonPolicy {
        PoisonPolicy {
            maximum_attempts: self.maximum_attempts,
            backoff: Backoff {
                initial: self.initial_backoff.get(),
                maximum: self.maximum_backoff.get(),
            },
        }
    }

    pub(super) fn validate(&self, path: &str, topic: &TopicTemplate) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.poison.{field}"), problem))
        };
        if !(1..=1_000_000).contains(&self.maximum_attempts) {
            return wrong("maximumAttempts", "must be between 1 and 1000000");
        }
        if self.initial_backoff < Period::from_millis(1)
            || self.initial_backoff > self.maximum_backoff
        {
            return wrong("initialBackoff", "must be at least 1ms and at most maximumBackoff");
        }
        let Some(own) = &self.dead_letter_topic else { return Ok(()) };
        if let Some(problem) = topic_problem(own) {
            return wrong("deadLetterTopic", &format!("`{own}` is not a topic: {problem}"));
        }
        if topic.constant() == Some(own) {
            return wrong("deadLetterTopic", "must be another topic than `topic`");
        }
        Ok(())
    }
}
