//! A running Kafka cluster, seen through its bootstrap address.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::error::{Error, Result};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A Kafka cluster; who started it does not matter.
#[derive(Clone, Debug)]
pub struct Server {
    bootstrap: String,
}

impl Server {
    /// The cluster behind `bootstrap`, e.g. `127.0.0.1:9092`.
    pub fn attach(bootstrap: impl Into<String>) -> Self {
        Self { bootstrap: bootstrap.into() }
    }

    /// `host:port`, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A client configuration with the bootstrap address, for tests that produce and consume.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// A name no other test uses, for a topic or a consumer group.
    pub fn unique(label: &str) -> String {
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        format!("{label}-{}", suffix.get(..10).unwrap_or_default())
    }

    /// A new topic with a [`unique`](Self::unique) name, one replica per partition. Returns the name.
    pub async fn topic(&self, label: &str, partitions: i32) -> Result<String> {
        let name = Self::unique(label);
        self.create_topic(&name, partitions).await?;
        Ok(name)
    }

    /// Creates a topic with one replica per partition; fails if it exists.
    pub async fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new()
            .operation_timeout(Some(REQUEST_TIMEOUT))
            .request_timeout(Some(REQUEST_TIMEOUT));
        let what = format!("create the topic {name}");
        let answer = self.admin(&what)?.create_topics([&topic], &options).await;
        match answer.map_err(|err| kafka_error(&what, err))?.into_iter().next() {
            Some(Ok(_)) => Ok(()),
            Some(Err((_, code))) => Err(kafka_error(&what, code)),
            None => Err(kafka_error(&what, "the answer names no topic")),
        }
    }

    /// Deletes a topic; it is gone from the metadata when this returns or shortly after.
    pub async fn delete_topic(&self, name: &str) -> Result<()> {
        let what = format!("delete the topic {name}");
        let answer = self.admin(&what)?.delete_topics(&[name], &AdminOptions::new()).await;
        match answer.map_err(|err| kafka_error(&what, err))?.into_iter().next() {
            Some(Err((_, code))) => Err(kafka_error(&what, code)),
            _ => Ok(()),
        }
    }

    fn admin(&self, what: &str) -> Result<AdminClient<DefaultClientContext>> {
        self.client_config().create().map_err(|err| kafka_error(what, err))
    }

    /// Asks for the cluster's metadata once; `Err` with the reason unless a broker is in it.
    pub(super) async fn probe(&self) -> Result<(), String> {
        // The client would retry silently; a plain connection tells at once.
        tokio::net::TcpStream::connect(&self.bootstrap).await.map_err(|err| err.to_string())?;
        let admin = self.admin("ask for metadata").map_err(|err| err.to_string())?;
        let metadata = tokio::task::spawn_blocking(move || {
            admin
                .inner()
                .fetch_metadata(None, Duration::from_secs(2))
                .map(|metadata| metadata.brokers().len())
        });
        match metadata.await {
            Ok(Ok(1..)) => Ok(()),
            Ok(Ok(_)) => Err("its metadata lists no broker".to_owned()),
            Ok(Err(err)) => Err(err.to_string()),
            Err(err) => Err(err.to_string()),
        }
    }
}

fn kafka_error(what: &str, reason: impl ToString) -> Error {
    Error::Kafka { what: what.to_owned(), reason: reason.to_string() }
}
