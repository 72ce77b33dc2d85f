//! The one configuration schema, of the sidecar's YAML file.
//!
//! Names are camelCase; an unknown one is an error that names the nearest valid
//! one. Durations are written like `500ms`, `5s`, `7d`. Secrets never stand in
//! the file: a [`SecretRef`] says where they are.

mod endpoint;
mod inbox;
mod outbox;
mod parse;
mod period;

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};

pub use endpoint::{Database, Kafka, Sasl, SaslMechanism, SecretRef, Tls};
pub use inbox::{Deliver, Inbox};
pub use outbox::{Chunk, Delivery, Engine, Outbox, OutboxColumns, Poll};
pub use parse::InvalidConfig;
pub use period::Period;

/// Everything a sidecar is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The database that holds the outbox and inbox tables.
    pub database: Database,
    /// The Kafka cluster.
    pub kafka: Kafka,
    /// The sidecar's own HTTP port.
    #[serde(default)]
    pub admin: Admin,
    /// Which topics are made when absent.
    #[serde(default)]
    pub topics: Topics,
    /// Tables to publish from.
    #[serde(default)]
    pub outboxes: Vec<Outbox>,
    /// Tables to consume into.
    #[serde(default)]
    pub inboxes: Vec<Inbox>,
}

/// The admin port: `/healthz`, `/readyz`, `/metrics`, `/status`, `POST /wake`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Admin {
    /// Where it listens. Default: `127.0.0.1:9100`.
    pub listen: SocketAddr,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9100)) }
    }
}

/// Making topics that do not exist yet. Existing ones are left as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Topics {
    /// Whether to create them. Default: `true`.
    pub create: bool,
    /// Partitions of a new topic. Default: 6.
    pub partitions: u16,
    /// Replicas of a new topic; absent: the broker's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_factor: Option<u16>,
}

impl Default for Topics {
    fn default() -> Self {
        Self { create: true, partitions: 6, replication_factor: None }
    }
}

impl Config {
    /// Reads a configuration from YAML (of which JSON is a part).
    ///
    /// # Errors
    /// The first thing that is wrong, with line and column where it has one.
    pub fn parse(yaml: &str) -> Result<Self, InvalidConfig> {
        let config: Self = parse::from_yaml(yaml)?;
        config.validate()?;
        Ok(config)
    }

    /// The configuration as JSON, which [`parse`](Self::parse) reads back.
    ///
    /// # Errors
    /// Only if a path is not valid UTF-8.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// What the types alone cannot say.
    fn validate(&self) -> Result<(), InvalidConfig> {
        let wrong = |path: String, problem: &str| Err(InvalidConfig::at_path(path, problem));
        if self.outboxes.is_empty() && self.inboxes.is_empty() {
            return wrong(
                "outboxes".into(),
                "there is neither an outbox nor an inbox, so nothing to do",
            );
        }
        if self.topics.partitions == 0 {
            return wrong("topics.partitions".into(), "must be at least 1");
        }
        self.kafka.validate()?;
        let mut names = HashSet::new();
        for (index, outbox) in self.outboxes.iter().enumerate() {
            let path = format!("outboxes[{index}]");
            if !names.insert(("outbox", &outbox.name)) {
                return wrong(format!("{path}.name"), &format!("`{}` is used twice", outbox.name));
            }
            outbox.validate(&path)?;
            if let Some(other) = self.outboxes[..index].iter().find(|o| o.table == outbox.table) {
                let problem = format!(
                    "`{}` is the table of `{}` too; each would delete rows that the other has not published",
                    outbox.table, other.name
                );
                return wrong(format!("{path}.table"), &problem);
            }
        }
        let mut groups = HashSet::new();
        for (index, inbox) in self.inboxes.iter().enumerate() {
            let path = format!("inboxes[{index}]");
            if !names.insert(("inbox", &inbox.name)) {
                return wrong(format!("{path}.name"), &format!("`{}` is used twice", inbox.name));
            }
            if !groups.insert(&inbox.consumer_group) {
                let problem = format!(
                    "`{}` is used twice; members of one group would share its messages",
                    inbox.consumer_group
                );
                return wrong(format!("{path}.consumerGroup"), &problem);
            }
            inbox.validate(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
