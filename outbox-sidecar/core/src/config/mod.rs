//! The one configuration schema, of the sidecar's YAML file and of the `Relay`
//! resource in a cluster.
//!
//! Names are camelCase; an unknown one is an error that names the nearest valid
//! one. Durations are written like `500ms`, `5s`, `7d`. Secrets never stand in
//! the file: a [`SecretRef`] says where they are. What a place means inside and
//! outside a cluster is in [`cluster`].

pub mod cluster;
mod endpoint;
mod horizon;
mod inbox;
mod outbox;
mod parse;
mod period;
mod reference;
mod schema;

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use endpoint::{Database, Kafka, Sasl, SaslMechanism, Tls};
pub use horizon::Horizon;
pub use inbox::{Broadcast, Deliver, Inbox, LiveDelivery, Requests, StoredInbox};
pub use outbox::{
    Chunk, Claim, ClaimOptions, ColumnOptions, Delivery, Engine, OnPublished, Outbox,
    OutboxColumns, Payload, PayloadFormat, Poison, Poll, Preset, RecordTime, StatusColumn,
};
pub use parse::InvalidConfig;
pub use period::Period;
pub use reference::{FileRef, KeyRef, SecretRef};
pub use schema::schema;

/// Everything a sidecar is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::structural)]
pub struct Config {
    /// The database that holds the outbox and inbox tables; left out if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Database")]
    pub database: Option<Database>,
    /// The Kafka cluster.
    pub kafka: Kafka,
    /// The sidecar's own HTTP port.
    #[serde(default)]
    pub admin: Admin,
    /// Which topics are made when absent.
    #[serde(default)]
    pub topics: Topics,
    /// When to speak of transactions and slots that hold up the database.
    #[serde(default)]
    pub horizon: Horizon,
    /// Tables to publish from.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub outboxes: Vec<Outbox>,
    /// What is consumed, and into which tables.
    #[serde(default)]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub inboxes: Vec<Inbox>,
}

/// The admin port: `/healthz`, `/readyz`, `/metrics`, `/status`, `POST /wake`,
/// and for who may see business data `/dead-letters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = schema::structural)]
pub struct Admin {
    /// Where it listens. Default: `127.0.0.1:9100`. In a cluster only the port counts.
    #[schemars(with = "String", regex(pattern = "^.+:[0-9]{1,5}$"))]
    pub listen: SocketAddr,
    /// What opens `/dead-letters` to others than loopback, who send it as
    /// `Authorization: Bearer …`: 16 bytes or more, without white space. Absent:
    /// nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SecretRef")]
    pub token: Option<SecretRef>,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9100)), token: None }
    }
}

/// Making topics that do not exist yet. Existing ones are left as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = schema::structural)]
pub struct Topics {
    /// Whether to create them. Default: `true`.
    pub create: bool,
    /// Partitions of a new topic, 1 to 65535. Default: 6.
    #[schemars(with = "i32", range(min = 1, max = 65535))]
    pub partitions: u16,
    /// Replicas of a new topic, 1 to 32767; absent: the broker's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 32767))]
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

    /// A short text that is the same for equal configurations and, for all
    /// practical purposes, different for different ones: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        // JSON fails for a path that is not UTF-8, which no file can name.
        let text = self.to_json().unwrap_or_else(|_| format!("{self:?}"));
        Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The inboxes that have a table.
    pub fn stored_inboxes(&self) -> impl Iterator<Item = &StoredInbox> {
        self.inboxes.iter().filter_map(Inbox::stored)
    }

    /// What has a table, as told to people.
    fn tables(&self) -> impl Iterator<Item = String> {
        let outboxes = self.outboxes.iter().map(|outbox| format!("outbox `{}`", outbox.name));
        outboxes.chain(self.stored_inboxes().map(|inbox| format!("inbox `{}`", inbox.name)))
    }

    /// Checks what the types alone cannot say; [`parse`](Self::parse) has done so.
    ///
    /// # Errors
    /// The first thing that is wrong, with the path of its field.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        let wrong = |path: String, problem: &str| Err(InvalidConfig::at_path(path, problem));
        if self.outboxes.is_empty() && self.inboxes.is_empty() {
            return wrong(
                "outboxes".into(),
                "there is neither an outbox nor an inbox, so nothing to do",
            );
        }
        if self.database.is_none() != self.tables().next().is_none() {
            let problem = match self.tables().next() {
                Some(part) => format!("is missing, and {part} has a table"),
                None => "there is no outbox, and no inbox with a table, so nothing to use it for; \
                         leave it out"
                    .to_owned(),
            };
            return wrong("database".into(), &problem);
        }
        if self.topics.partitions == 0 {
            return wrong("topics.partitions".into(), "must be at least 1");
        }
        if self.topics.replication_factor.is_some_and(|factor| !(1..=32_767).contains(&factor)) {
            return wrong("topics.replicationFactor".into(), "must be between 1 and 32767");
        }
        self.horizon.validate()?;
        self.validate_references()?;
        self.kafka.validate()?;
        let mut names = HashSet::new();
        for (index, outbox) in self.outboxes.iter().enumerate() {
            let path = format!("outboxes[{index}]");
            if !names.insert(("outbox", outbox.name.as_str())) {
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
            if !names.insert(("inbox", inbox.name())) {
                return wrong(format!("{path}.name"), &format!("`{}` is used twice", inbox.name()));
            }
            if let Some(stored) = inbox.stored()
                && !groups.insert(&stored.consumer_group)
            {
                let problem = format!(
                    "`{}` is used twice; members of one group would share its messages",
                    stored.consumer_group
                );
                return wrong(format!("{path}.consumerGroup"), &problem);
            }
            inbox.validate(&path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod cluster_tests;
#[cfg(test)]
mod schema_check;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
