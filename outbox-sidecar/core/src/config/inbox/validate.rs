//! What the types of an inbox cannot say.

use super::{Inbox, Period};
use crate::{
    config::{InvalidConfig, parse::is_name},
    route::topic_problem,
};

impl Inbox {
    pub(in crate::config) fn validate(&self, path: &str) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if !is_name(self.name()) {
            return wrong("name", "use 1 to 63 lower-case letters, digits and `-`");
        }
        if self.topics().is_empty() {
            return wrong("topics", "name at least one topic");
        }
        for (index, topic) in self.topics().iter().enumerate() {
            if let Some(problem) = topic_problem(topic) {
                return wrong(
                    &format!("topics[{index}]"),
                    &format!("`{topic}` is not a topic: {problem}"),
                );
            }
        }
        let requests = self.requests();
        if !requests.url.starts_with("http://") && !requests.url.starts_with("https://") {
            return wrong("deliver.url", "must be a URL such as http://127.0.0.1:8080/inbox");
        }
        if !(1..=1000).contains(&requests.batch) {
            return wrong("deliver.batch", "must be between 1 and 1000");
        }
        if !(1..=64).contains(&requests.concurrency) {
            return wrong("deliver.concurrency", "must be between 1 and 64");
        }
        if requests.initial_backoff < Period::from_millis(1)
            || requests.initial_backoff > requests.maximum_backoff
        {
            return wrong(
                "deliver.initialBackoff",
                "must be at least 1ms and at most maximumBackoff",
            );
        }
        match self {
            Self::Broadcast(inbox) => {
                if inbox.deliver.give_up_after < Period::from_millis(1) {
                    return wrong("deliver.giveUpAfter", "must be at least 1ms");
                }
            }
            Self::Stored(inbox) => {
                if inbox.consumer_group.is_empty() || inbox.consumer_group.len() > 255 {
                    return wrong("consumerGroup", "must have 1 to 255 characters");
                }
                if let Some(topic) = &inbox.deliver.dead_letter_topic {
                    if let Some(problem) = topic_problem(topic) {
                        let problem = format!("`{topic}` is not a topic: {problem}");
                        return wrong("deliver.deadLetterTopic", &problem);
                    }
                    if inbox.topics.contains(topic) {
                        return wrong(
                            "deliver.deadLetterTopic",
                            "must be another topic than those consumed",
                        );
                    }
                }
                if inbox.deliver.maximum_attempts == Some(0) {
                    return wrong(
                        "deliver.maximumAttempts",
                        "must be at least 1; leave it out to try for ever",
                    );
                }
            }
        }
        Ok(())
    }
}
