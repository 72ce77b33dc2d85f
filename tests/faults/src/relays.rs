//! The relays: real sidecar processes with one configuration, each with a way of its own to the
//! database.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use outbox_sidecar_core::config::{Config, Delivery};
use serde_json::json;
use test_support::{
    ports,
    process::{Output, Process, Spec},
    proxy::Proxy,
};
use tokio::sync::Mutex;

/// How long a relay may take to serve, and to stop.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What all relays are told.
#[derive(Clone, Debug)]
pub struct Common {
    /// `host:port` of the broker, behind its proxy.
    pub bootstrap: String,
    /// The topic that is published to and consumed.
    pub topic: String,
    /// The application's inbox.
    pub inbox_url: String,
    /// How long the buckets of a dead relay stay unserved.
    pub lease: Duration,
    /// How the outbox is published.
    pub delivery: Delivery,
}

/// A relay that can be there or not.
#[derive(Debug)]
pub struct Relay {
    /// For messages.
    pub name: String,
    /// The process, if it is to run. Who does something to it keeps it locked, so that two faults
    /// do not meet, and a process that ended while nobody had it locked ended by itself.
    pub process: Mutex<Option<Process>>,
    /// Its way to the database; locked likewise.
    pub database: Mutex<Proxy>,
    spec: Spec,
    ready_url: String,
}

impl Relay {
    /// Sets up the relay of a number, from 0, without starting it. Its configuration goes into
    /// `files`.
    ///
    /// # Errors
    /// There is no free port, or the file cannot be written.
    pub async fn new(
        number: usize,
        program: &Path,
        common: &Common,
        database: (u16, &str),
        files: &Path,
        output: Output,
    ) -> anyhow::Result<Self> {
        let name = format!("relay-{}", number + 1);
        let admin = ports::free()?;
        let config = configuration(common, admin)?;
        let file = files.join(format!("{name}.json"));
        std::fs::write(&file, config.to_json()?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let (port, url) = database;
        let proxy = Proxy::start(port).await?;
        let spec = Spec::new(&name, program)
            .args(["run", "--config"])
            .arg(&file)
            .env("DATABASE_URL", through(url, port, proxy.port()))
            .output(output);
        Ok(Self {
            name,
            process: Mutex::new(None),
            database: Mutex::new(proxy),
            spec,
            ready_url: format!("http://127.0.0.1:{admin}/readyz"),
        })
    }

    /// A new process that serves.
    ///
    /// # Errors
    /// It ends, or does not serve in time.
    pub async fn started(&self) -> anyhow::Result<Process> {
        let process = Process::spawn(self.spec.clone())?;
        process.wait_ready(&self.ready_url, PATIENCE).await?;
        Ok(process)
    }

    /// Asks it to stop. Gives what is wrong with how it ended, if anything is.
    pub async fn stopped(&self, process: &Process) -> Option<String> {
        let status = process.stop(PATIENCE).await;
        (!status.success())
            .then(|| format!("{} stopped with {status}:\n{}", self.name, process.tail(20)))
    }
}

/// A database URL with the port of a proxy.
pub(crate) fn through(url: &str, port: u16, proxy: u16) -> String {
    url.replace(&format!(":{port}/"), &format!(":{proxy}/"))
}

fn configuration(common: &Common, admin: u16) -> anyhow::Result<Config> {
    let config = json!({
        "database": { "url": { "env": "DATABASE_URL" } },
        "kafka": {
            "bootstrapServers": [common.bootstrap],
            // A member that is gone is noticed soon: the broker allows no less.
            "properties": { "session.timeout.ms": "6000", "heartbeat.interval.ms": "1500" },
        },
        "admin": { "listen": format!("127.0.0.1:{admin}") },
        "outboxes": [{
            "name": "ledger", "table": "outbox", "topic": common.topic,
            "lease": format!("{}ms", common.lease.as_millis()), "delivery": common.delivery,
            // Small chunks and batches: more moments to be hit at.
            "chunk": { "rows": 100 },
            // What can never be published is given up within the run.
            "poison": { "maximumAttempts": 3, "initialBackoff": "100ms", "maximumBackoff": "1s" },
        }],
        "inboxes": [{
            "name": "ledger", "table": "inbox", "topics": [common.topic],
            "consumerGroup": common.topic,
            "deliver": {
                "url": common.inbox_url, "batch": 20, "timeout": "3s", "maximumBackoff": "1s",
            },
        }],
    });
    Config::parse(&config.to_string()).context("the relays' configuration")
}
