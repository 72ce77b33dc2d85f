//! Where the database and the brokers are, and how to speak to them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FileRef, InvalidConfig, SecretRef};

/// The PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Database {
    /// The connection URL, `postgresql://user:password@host:port/database`;
    /// `sslmode=require` in it enforces TLS, whose certificate is then verified.
    pub url: SecretRef,
    /// Certificates to trust in PEM form; absent: the system's. Naming them
    /// enforces TLS unless the URL says `sslmode=disable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FileRef")]
    pub ca: Option<FileRef>,
    /// Whether the replicas pass wake-ups on to each other by `LISTEN` and
    /// `NOTIFY`. One of the sidecar's three connections is for that; a pooler in
    /// transaction mode does not carry it. Default: `true`.
    #[serde(default = "default_listen")]
    pub listen: bool,
}

fn default_listen() -> bool {
    true
}

/// The Kafka cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Kafka {
    /// `host:port` of some brokers, at least one.
    #[schemars(length(min = 1), inner(regex(pattern = "^[^,/]+:[0-9]{1,5}$")))]
    pub bootstrap_servers: Vec<String>,
    /// How the sidecar names itself to the brokers. Default: `outbox-sidecar`.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// TLS to the brokers; absent: none. `tls: {}` uses the system's certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Tls")]
    pub tls: Option<Tls>,
    /// Authentication; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Sasl")]
    pub sasl: Option<Sasl>,
    /// Further librdkafka settings. One that a typed setting or a guarantee
    /// depends on is an error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// TLS to the brokers. The server's certificate and name are always verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::schema::structural)]
pub struct Tls {
    /// Certificates to trust in PEM form; absent: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FileRef")]
    pub ca: Option<FileRef>,
    /// The client's certificate in PEM form, for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FileRef")]
    pub certificate: Option<FileRef>,
    /// The client's private key in PEM form.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "FileRef")]
    pub key: Option<FileRef>,
}

/// SASL authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::schema::structural)]
pub struct Sasl {
    /// The mechanism.
    pub mechanism: SaslMechanism,
    /// The user's name.
    pub username: SecretRef,
    /// The user's password.
    pub password: SecretRef,
}

/// How a user proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::schema::values)]
pub enum SaslMechanism {
    /// The password itself; only together with TLS on an untrusted network.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    /// The name Kafka knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// librdkafka settings that this configuration or a guarantee rests on, with
/// what to use instead.
const RESERVED_PROPERTIES: [(&str, &str); 25] = [
    ("bootstrap.servers", "use kafka.bootstrapServers"),
    ("metadata.broker.list", "use kafka.bootstrapServers"),
    ("client.id", "use kafka.clientId"),
    ("security.protocol", "use kafka.tls and kafka.sasl"),
    ("ssl.ca.location", "use kafka.tls.ca"),
    ("ssl.certificate.location", "use kafka.tls.certificate"),
    ("ssl.key.location", "use kafka.tls.key"),
    ("enable.ssl.certificate.verification", "certificates are always verified"),
    ("ssl.endpoint.identification.algorithm", "host names are always verified"),
    ("sasl.mechanism", "use kafka.sasl.mechanism"),
    ("sasl.mechanisms", "use kafka.sasl.mechanism"),
    ("sasl.username", "use kafka.sasl.username"),
    ("sasl.password", "use kafka.sasl.password"),
    ("group.id", "use inboxes[].consumerGroup"),
    ("enable.auto.commit", "offsets are committed after the inbox rows"),
    ("enable.auto.offset.store", "offsets are committed after the inbox rows"),
    ("acks", "a row counts as published only when all in-sync replicas have it"),
    ("request.required.acks", "a row counts as published only when all in-sync replicas have it"),
    ("enable.idempotence", "order within a key depends on it"),
    ("enable.gapless.guarantee", "order within a key depends on it"),
    ("transactional.id", "use outboxes[].delivery and transactionalIdPrefix"),
    ("delivery.report.only.error", "a row is published when the broker says so"),
    ("message.timeout.ms", "an outage never drops a row"),
    ("delivery.timeout.ms", "an outage never drops a row"),
    ("partitioner", "keys land where the Java clients put them"),
];

impl Kafka {
    pub(super) fn validate(&self) -> Result<(), InvalidConfig> {
        if self.bootstrap_servers.is_empty() {
            return Err(InvalidConfig::at_path(
                "kafka.bootstrapServers".into(),
                "name at least one broker, host:port",
            ));
        }
        for (index, server) in self.bootstrap_servers.iter().enumerate() {
            let port = server
                .rsplit_once(':')
                .filter(|(host, _)| !host.is_empty())
                .map(|(_, port)| port.parse::<u16>());
            if !matches!(port, Some(Ok(1..))) || server.contains([',', '/']) {
                let problem = format!("`{server}` is not host:port");
                return Err(InvalidConfig::at_path(
                    format!("kafka.bootstrapServers[{index}]"),
                    &problem,
                ));
            }
        }
        if let Some(tls) = &self.tls
            && tls.certificate.is_some() != tls.key.is_some()
        {
            return Err(InvalidConfig::at_path(
                "kafka.tls".into(),
                "certificate and key go together",
            ));
        }
        for (name, instead) in RESERVED_PROPERTIES {
            if self.properties.contains_key(name) {
                return Err(InvalidConfig::at_path(
                    format!("kafka.properties.{name}"),
                    &format!("may not be set: {instead}"),
                ));
            }
        }
        Ok(())
    }
}

fn default_client_id() -> String {
    "outbox-sidecar".to_owned()
}
