//! An inbox: a table that Kafka's messages go into, and on to the application.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidConfig, Period};
use crate::{backoff::Backoff, delivery::RetryPolicy, route::topic_problem, sql_name::TableName};

/// A table that Kafka's messages go into, and on to the application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Inbox {
    /// Names it in metrics and logs.
    #[schemars(regex(pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// The table, `table` or `schema.table`.
    pub table: TableName,
    /// The topics consumed, at least one.
    #[schemars(
        length(min = 1),
        inner(length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))
    )]
    pub topics: Vec<String>,
    /// The Kafka consumer group; replicas of one service share it.
    #[schemars(length(min = 1, max = 255))]
    pub consumer_group: String,
    /// Where messages go.
    pub deliver: Deliver,
    /// How long applied messages are kept, which is how long a repeated message
    /// is recognised. Default: `7d`.
    #[serde(default = "default_retention")]
    pub retention: Period,
}

/// The application's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Deliver {
    /// The application's endpoint, `http://host:port/path`.
    #[schemars(regex(pattern = "^https?://.+"))]
    pub url: String,
    /// Messages per request, 1 to 1000. Default: 100.
    #[serde(default = "default_batch")]
    #[schemars(with = "i32", range(min = 1, max = 1000))]
    pub batch: u16,
    /// Requests under way at a time, 1 to 64. Default: 4.
    #[serde(default = "default_concurrency")]
    #[schemars(with = "i32", range(min = 1, max = 64))]
    pub concurrency: u16,
    /// How long one request may take. Default: `30s`.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Waits between attempts double from here. Default: `100ms`.
    #[serde(default = "default_initial_backoff")]
    pub initial_backoff: Period,
    /// No wait is longer. Default: `10s`.
    #[serde(default = "default_maximum_backoff")]
    pub maximum_backoff: Period,
    /// Failures the application reports for a message before it is dead;
    /// absent: never. An outage does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1))]
    pub maximum_attempts: Option<u32>,
    /// How often a message may bring the application down, by a lost connection or
    /// a timeout while it has only this message, before it is dead; 0: always, and
    /// no message goes alone. Default: 5.
    #[serde(default = "default_maximum_crashes")]
    #[schemars(with = "i32", range(min = 0))]
    pub maximum_crashes: u32,
    /// A topic that dead letters go to as well, with headers that say why; absent:
    /// they are only kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 249), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub dead_letter_topic: Option<String>,
}

impl Deliver {
    /// The policy for messages that fail.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            backoff: Backoff {
                initial: self.initial_backoff.get(),
                maximum: self.maximum_backoff.get(),
            },
            maximum_attempts: self.maximum_attempts,
            maximum_crashes: Some(self.maximum_crashes).filter(|maximum| *maximum > 0),
        }
    }
}

impl Inbox {
    pub(super) fn validate(&self, path: &str) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if !super::parse::is_name(&self.name) {
            return wrong("name", "use 1 to 63 lower-case letters, digits and `-`");
        }
        if self.topics.is_empty() {
            return wrong("topics", "name at least one topic");
        }
        for (index, topic) in self.topics.iter().enumerate() {
            if let Some(problem) = topic_problem(topic) {
                return wrong(
                    &format!("topics[{index}]"),
                    &format!("`{topic}` is not a topic: {problem}"),
                );
            }
        }
        if self.consumer_group.is_empty() || self.consumer_group.len() > 255 {
            return wrong("consumerGroup", "must have 1 to 255 characters");
        }
        if !self.deliver.url.starts_with("http://") && !self.deliver.url.starts_with("https://") {
            return wrong("deliver.url", "must be a URL such as http://127.0.0.1:8080/inbox");
        }
        if !(1..=1000).contains(&self.deliver.batch) {
            return wrong("deliver.batch", "must be between 1 and 1000");
        }
        if !(1..=64).contains(&self.deliver.concurrency) {
            return wrong("deliver.concurrency", "must be between 1 and 64");
        }
        if self.deliver.initial_backoff < Period::from_millis(1)
            || self.deliver.initial_backoff > self.deliver.maximum_backoff
        {
            return wrong(
                "deliver.initialBackoff",
                "must be at least 1ms and at most maximumBackoff",
            );
        }
        if let Some(topic) = &self.deliver.dead_letter_topic {
            if let Some(problem) = topic_problem(topic) {
                let problem = format!("`{topic}` is not a topic: {problem}");
                return wrong("deliver.deadLetterTopic", &problem);
            }
            if self.topics.contains(topic) {
                return wrong(
                    "deliver.deadLetterTopic",
                    "must be another topic than those consumed",
                );
            }
        }
        if self.deliver.maximum_attempts == Some(0) {
            return wrong(
                "deliver.maximumAttempts",
                "must be at least 1; leave it out to try for ever",
            );
        }
        Ok(())
    }
}

fn default_retention() -> Period {
    Period::from_secs(7 * 24 * 60 * 60)
}

fn default_batch() -> u16 {
    100
}

fn default_concurrency() -> u16 {
    4
}

fn default_timeout() -> Period {
    Period::from_secs(30)
}

fn default_maximum_crashes() -> u32 {
    5
}

fn default_initial_backoff() -> Period {
    Period::from_millis(100)
}

fn default_maximum_backoff() -> Period {
    Period::from_secs(10)
}
