//! A sidecar under measurement.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use outbox_sidecar_core::config::Config;
use serde_json::{Value, json};
use test_support::{
    bin_dir, kafka, ports,
    process::{Process, Spec},
    scratch::Scratch,
};
use tokio::task::JoinHandle;

use crate::{
    memory::{self, Sample},
    progress,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// How a relay publishes.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The outbox's name: each has a cursor of its own, so another one reads the table anew.
    pub outbox: String,
    /// The topic.
    pub topic: String,
    /// `idempotent` or `transactional`.
    pub delivery: &'static str,
    /// `append` or `claim`.
    pub engine: &'static str,
    /// Ordered parts of the table.
    pub buckets: u16,
    /// How long published rows are kept.
    pub retention: &'static str,
    /// Rows and bytes of a chunk, if not the default.
    pub chunk: Option<(u32, u32)>,
}

impl Setup {
    /// Everything as by default.
    pub fn new(outbox: impl Into<String>, topic: impl Into<String>) -> Self {
        let (outbox, topic) = (outbox.into(), topic.into());
        Self {
            outbox,
            topic,
            delivery: "idempotent",
            engine: "append",
            buckets: 8,
            retention: "7d",
            chunk: None,
        }
    }
}

/// The configuration of a relay.
///
/// # Errors
/// There is no free port.
pub fn configuration(kafka: &kafka::Server, setup: &Setup) -> anyhow::Result<Config> {
    let mut outbox = json!({
        "name": setup.outbox, "table": "outbox", "topic": setup.topic,
        "delivery": setup.delivery, "engine": setup.engine, "buckets": setup.buckets,
        "retention": setup.retention,
    });
    if let Some((rows, bytes)) = setup.chunk {
        outbox["chunk"] = json!({ "rows": rows, "bytes": bytes });
    }
    with(kafka, json!({ "outboxes": [outbox] }))
}

/// The configuration of a sidecar with these outboxes or inboxes.
///
/// # Errors
/// There is no free port.
pub fn with(kafka: &kafka::Server, mut parts: Value) -> anyhow::Result<Config> {
    parts["database"] = json!({ "url": { "env": "DATABASE_URL" } });
    parts["kafka"] = json!({ "bootstrapServers": [kafka.bootstrap()] });
    parts["admin"] = json!({ "listen": format!("127.0.0.1:{}", ports::free()?) });
    Config::parse(&parts.to_string()).context("the sidecar's configuration")
}

/// Waits until relays have published so many rows together; returns rows a second, from the first
/// that were seen published to the last.
///
/// # Errors
/// One ends, or they make no progress for a minute.
pub async fn drained(relays: &[Relay], rows: u64) -> anyhow::Result<f64> {
    let published = async || {
        let mut published = 0;
        for relay in relays {
            if !relay.process.is_running() {
                bail!("the sidecar ended: {}", relay.process.tail(20));
            }
            published += relay.published().await?;
        }
        Ok(published)
    };
    let rate = progress::rate(rows, published).await;
    match relays.iter().find(|relay| relay.process.is_running()) {
        Some(relay) if rate.is_err() => {
            let status = relay.status().await?;
            rate.with_context(|| format!("a sidecar says: {status}"))
        }
        _ => rate,
    }
}

/// A running sidecar. Dropping it kills it.
#[derive(Debug)]
pub struct Relay {
    process: Process,
    admin: String,
    outbox: String,
    memory: Arc<Mutex<Vec<Sample>>>,
    sampler: JoinHandle<()>,
    _files: Scratch,
}

impl Relay {
    /// Starts the sidecar that was built beside this program, and waits until it serves.
    ///
    /// # Errors
    /// It is not built, or ends.
    pub async fn start(config: &Config, database_url: &str) -> anyhow::Result<Self> {
        let program = bin_dir()?.join("outbox-sidecar");
        if !program.is_file() {
            bail!("{} is not there: run make build", program.display());
        }
        let files = Scratch::new("bench")?;
        let file = files.path().join("sidecar.json");
        std::fs::write(&file, config.to_json()?).context("writing the configuration")?;
        let spec = Spec::new("sidecar", program)
            .args(["run", "--config"])
            .arg(&file)
            .env("DATABASE_URL", database_url);
        let process = Process::spawn(spec)?;
        let memory: Arc<Mutex<Vec<Sample>>> = Arc::default();
        let sampler = tokio::spawn(memory::sample(process.id(), Arc::clone(&memory)));
        let admin = format!("http://{}", config.admin.listen);
        process.wait_ready(&format!("{admin}/readyz"), PATIENCE).await?;
        let outbox = config.outboxes.first().map(|outbox| outbox.name.clone()).unwrap_or_default();
        Ok(Self { process, admin, outbox, memory, sampler, _files: files })
    }

    /// Its own address, `http://host:port`.
    pub fn admin(&self) -> &str {
        &self.admin
    }

    /// Rows published since the start.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn published(&self) -> anyhow::Result<u64> {
        let name = "outbox_sidecar_outbox_published_total";
        let text = reqwest::get(format!("{}/metrics", self.admin)).await?.text().await?;
        let value = text
            .lines()
            .find(|line| line.starts_with(name) && line.contains(&self.outbox))
            .and_then(|line| line.rsplit_once(' '));
        Ok(match value {
            Some((_, value)) => value.parse().context("a counter that is no number")?,
            None => 0,
        })
    }

    /// The sidecar's own account of itself.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn status(&self) -> anyhow::Result<Value> {
        Ok(reqwest::get(format!("{}/status", self.admin)).await?.json().await?)
    }

    /// User and system time since the start, in seconds.
    ///
    /// # Errors
    /// The process is gone.
    pub fn processor_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/<pid>/stat")?;
        let ticks: u32 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u32>().unwrap_or_default())
            .sum();
        // Linux counts them in hundredths on every platform it tells user space about.
        Ok(f64::from(ticks) / 100.0)
    }

    /// Memory since the start, every tenth of a second.
    pub fn memory(&self) -> Vec<Sample> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// It stopped with an error.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let status = self.process.stop(PATIENCE).await;
        if !status.success() {
            bail!("the sidecar stopped with {status}: {}", self.process.tail(20));
        }
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.sampler.abort();
    }
}
