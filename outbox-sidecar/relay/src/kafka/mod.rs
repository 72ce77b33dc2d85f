//! Kafka clients as the sidecar sets them up.

pub mod log;
pub mod polled_producer;
pub mod topics;

use outbox_sidecar_core::config;
use rdkafka::ClientConfig;

use crate::{
    error::Error,
    secret::{self, Secret},
};

/// What every client shares: addresses, security, and the user's own settings.
///
/// # Errors
/// A secret is not where the configuration says.
pub fn client_config(kafka: &config::Kafka) -> Result<ClientConfig, Error> {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", kafka.bootstrap_servers.join(","))
        .set("client.id", &kafka.client_id)
        // A broker that comes back is found within a second.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log.connection.close", "false");
    for (name, value) in &kafka.properties {
        client.set(name, value);
    }
    let protocol = match (&kafka.tls, &kafka.sasl) {
        (None, None) => "plaintext",
        (Some(_), None) => "ssl",
        (None, Some(_)) => "sasl_plaintext",
        (Some(_), Some(_)) => "sasl_ssl",
    };
    client.set("security.protocol", protocol);
    if let Some(tls) = &kafka.tls {
        let files = [
            ("ssl.ca.location", &tls.ca),
            ("ssl.certificate.location", &tls.certificate),
            ("ssl.key.location", &tls.key),
        ];
        for (name, file) in files {
            if let Some(file) = file {
                client.set(name, secret::path(file)?.to_string_lossy());
            }
        }
        if tls.ca.is_none() {
            client.set("ssl.ca.location", "probe");
        }
    }
    if let Some(sasl) = &kafka.sasl {
        client
            .set("sasl.mechanism", sasl.mechanism.name())
            .set("sasl.username", Secret::read(&sasl.username)?.reveal())
            .set("sasl.password", Secret::read(&sasl.password)?.reveal());
    }
    Ok(client)
}

/// A producer that loses nothing and keeps order: idempotent, acknowledged by
/// all in-sync replicas, and never giving up on a message because time passed.
///
/// # Errors
/// A secret is not where the configuration says.
pub fn producer_config(kafka: &config::Kafka) -> Result<ClientConfig, Error> {
    let mut client = client_config(kafka)?;
    let defaults = [
        // A batch gathers what comes while the one before it is under way.
        ("linger.ms", "0"),
        ("compression.type", "lz4"),
        // Bounds the memory of messages under way.
        ("queue.buffering.max.kbytes", "32768"),
        ("queue.buffering.max.messages", "100000"),
        ("message.max.bytes", "1000000"),
    ];
    for (name, value) in defaults {
        if !kafka.properties.contains_key(name) {
            client.set(name, value);
        }
    }
    client
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // What stands behind a refused batch must not overtake it.
        .set("enable.gapless.guarantee", "true")
        .set("partitioner", "murmur2_random")
        // Were a message to time out, those behind it would overtake it.
        .set("message.timeout.ms", "0");
    Ok(client)
}
