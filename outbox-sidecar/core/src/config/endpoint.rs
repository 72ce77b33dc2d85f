//! Where the database and the brokers are, and how to speak to them.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};

use super::InvalidConfig;

/// Where a secret is to be found. The file never holds the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretRef {
    /// The name of an environment variable.
    Env(String),
    /// A file; one trailing line break is dropped.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretRefVisitor)
    }
}

/// Written by hand so that a secret put into the file is not printed back.
struct SecretRefVisitor;

impl<'de> Visitor<'de> for SecretRefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ env: NAME } or { file: PATH }")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Err(E::custom("a secret may not stand here itself; write { env: NAME } or { file: PATH }"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some(field) = map.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let secret = match field.as_str() {
            "env" => SecretRef::Env(map.next_value()?),
            "file" => SecretRef::File(map.next_value()?),
            other => return Err(de::Error::unknown_field(other, &["env", "file"])),
        };
        match map.next_key::<String>()? {
            None => Ok(secret),
            Some(_) => Err(de::Error::custom("give either env or file, not both")),
        }
    }
}

/// The PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Database {
    /// The connection URL, `postgresql://user:password@host:port/database`;
    /// `sslmode=require` in it enforces TLS, whose certificate is then verified.
    pub url: SecretRef,
    /// Certificates to trust in PEM form; absent: the system's. Naming them
    /// enforces TLS unless the URL says `sslmode=disable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// The Kafka cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Kafka {
    /// `host:port` of some brokers, at least one.
    pub bootstrap_servers: Vec<String>,
    /// How the sidecar names itself to the brokers. Default: `outbox-sidecar`.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// TLS to the brokers; absent: none. `tls: {}` uses the system's certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Authentication; absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<Sasl>,
    /// Further librdkafka settings. One that a typed setting or a guarantee
    /// depends on is an error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// TLS to the brokers. The server's certificate and name are always verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tls {
    /// Certificates to trust in PEM form; absent: the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The client's certificate in PEM form, for mutual TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// The client's private key in PEM form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// SASL authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sasl {
    /// The mechanism.
    pub mechanism: SaslMechanism,
    /// The user's name.
    pub username: SecretRef,
    /// The user's password.
    pub password: SecretRef,
}

/// How a user proves who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    ("ssl.ca.location", "use kafka.tls.caFile"),
    ("ssl.certificate.location", "use kafka.tls.certificateFile"),
    ("ssl.key.location", "use kafka.tls.keyFile"),
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
    ("transactional.id", "delivery is idempotent"),
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
            && tls.certificate_file.is_some() != tls.key_file.is_some()
        {
            return Err(InvalidConfig::at_path(
                "kafka.tls".into(),
                "certificateFile and keyFile go together",
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
