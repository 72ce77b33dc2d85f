//! The servers that are measured against.

use anyhow::Context as _;
use test_support::{
    kafka::{self, Broker},
    postgres::{self, Cluster, TestDatabase},
};

use crate::{proc, producer::COMPRESSION};

/// A PostgreSQL and a Kafka, started for the run or given.
#[derive(Debug)]
pub struct Stack {
    postgres: Postgres,
    kafka: Kafka,
}

#[derive(Debug)]
enum Postgres {
    Own(Box<Cluster>),
    Given(Box<postgres::Server>),
}

#[derive(Debug)]
enum Kafka {
    Own(Box<Broker>),
    Given(kafka::Server),
}

impl Stack {
    /// Attaches to the servers that are given, and starts those that are not: durable ones, with
    /// `fsync` on, in temporary folders.
    ///
    /// # Errors
    /// One cannot be started, or a URL is none.
    pub async fn new(postgres: Option<&str>, kafka: Option<&str>) -> anyhow::Result<Self> {
        let postgres = match postgres {
            Some(url) => Postgres::Given(Box::new(postgres::Server::attach(url)?)),
            None => Postgres::Own(Box::new(Cluster::start_with(durable()).await?)),
        };
        let kafka = match kafka {
            Some(bootstrap) => Kafka::Given(kafka::Server::attach(bootstrap)),
            None => Kafka::Own(Box::new(Broker::temporary().await?)),
        };
        Ok(Self { postgres, kafka })
    }

    /// The PostgreSQL server.
    pub fn postgres(&self) -> &postgres::Server {
        match &self.postgres {
            Postgres::Own(cluster) => cluster.server(),
            Postgres::Given(server) => server,
        }
    }

    /// The Kafka cluster.
    pub fn kafka(&self) -> &kafka::Server {
        match &self.kafka {
            Kafka::Own(broker) => broker.server(),
            Kafka::Given(server) => server,
        }
    }

    /// A new database, dropped with the returned value.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn database(&self, label: &str) -> anyhow::Result<TestDatabase> {
        Ok(self.postgres().database(label).await?)
    }

    /// A superuser's connection to a database that nothing is measured in.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn admin(&self) -> anyhow::Result<tokio_postgres::Client> {
        Ok(self.postgres().admin("postgres").await?)
    }

    /// What decides how fast the servers are.
    ///
    /// # Errors
    /// PostgreSQL does not answer.
    pub async fn settings(&self) -> anyhow::Result<Settings> {
        let client = self.admin().await?;
        let sql = "SELECT current_setting('server_version'), current_setting('fsync'),
                          current_setting('synchronous_commit'), current_setting('shared_buffers')";
        let row = client.query_one(sql, &[]).await.context("asking PostgreSQL for its settings")?;
        let text = |index: usize| row.get::<_, String>(index);
        Ok(Settings {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            processor: proc::field("/proc/cpuinfo", "model name"),
            memory: proc::field("/proc/meminfo", "MemTotal"),
            librdkafka: rdkafka::util::get_rdkafka_version().1,
            postgresql: text(0),
            fsync: text(1),
            synchronous_commit: text(2),
            shared_buffers: text(3),
            acks: "all".to_owned(),
            compression: COMPRESSION.to_owned(),
        })
    }
}

/// What a run's figures depend on.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Settings {
    /// Processors of this machine.
    pub processors: usize,
    /// What they are, if the system tells it.
    pub processor: Option<String>,
    /// Its memory, with the unit, likewise.
    pub memory: Option<String>,
    /// The version of the Kafka client, of the relay and of what it is compared with.
    pub librdkafka: String,
    /// PostgreSQL's version.
    pub postgresql: String,
    /// Its `fsync`.
    pub fsync: String,
    /// Its `synchronous_commit`.
    pub synchronous_commit: String,
    /// Its `shared_buffers`.
    pub shared_buffers: String,
    /// What producers wait for.
    pub acks: String,
    /// How producers compress.
    pub compression: String,
}

fn durable() -> postgres::Options {
    let settings = [("fsync", "on"), ("full_page_writes", "on"), ("max_wal_size", "4GB")];
    postgres::Options {
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..postgres::Options::default()
    }
}
