//! One part of a running shop.

use std::time::Duration;

use crate::error::Result;
use crate::kafka::Broker;
use crate::postgres::Cluster;
use crate::process::{Process, Spec};

/// How long a program may take to become ready. Generous: on a busy machine a test should not
/// fail for slowness, and a program that ends is noticed at once.
const READY_DEADLINE: Duration = Duration::from_secs(90);

/// How long a part may take to stop before it is killed.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// A program to start, and how to tell that it is ready.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) spec: Spec,
    pub(super) ready_url: String,
}

/// A process of the shop that can be killed, stopped and started again.
#[derive(Debug)]
pub struct Part(Kind);

#[derive(Debug)]
enum Kind {
    Postgres(Box<Cluster>),
    Kafka(Box<Broker>),
    Program { process: Box<Process>, ready_url: String },
}

impl Part {
    pub(super) fn postgres(cluster: Cluster) -> Self {
        Self(Kind::Postgres(Box::new(cluster)))
    }

    pub(super) fn kafka(broker: Broker) -> Self {
        Self(Kind::Kafka(Box::new(broker)))
    }

    pub(super) async fn start_program(Program { spec, ready_url }: Program) -> Result<Self> {
        let process = Box::new(Process::spawn(spec)?);
        let part = Self(Kind::Program { process, ready_url });
        part.start().await?;
        Ok(part)
    }

    /// Its name, e.g. `orders-sidecar`.
    pub fn name(&self) -> &str {
        self.process().name()
    }

    /// Its process, for signals, its end and its output.
    pub fn process(&self) -> &Process {
        match &self.0 {
            Kind::Postgres(cluster) => cluster.process(),
            Kind::Kafka(broker) => broker.process(),
            Kind::Program { process, .. } => process,
        }
    }

    /// Starts it unless it runs, with the same arguments, and waits until it is ready.
    ///
    /// # Errors
    /// It ends, or is not ready in time; with its last lines.
    pub async fn start(&self) -> Result<()> {
        match &self.0 {
            Kind::Postgres(cluster) => cluster.start().await,
            Kind::Kafka(broker) => broker.start().await,
            Kind::Program { process, ready_url } => {
                process.start()?;
                process.wait_ready(ready_url, READY_DEADLINE).await
            }
        }
    }

    /// SIGKILL; returns when it is gone.
    pub async fn kill(&self) {
        self.process().kill().await;
    }

    /// Asks it to stop, and kills it when it takes too long; returns when it is gone.
    pub async fn stop(&self) {
        self.process().stop(STOP_GRACE).await;
    }

    /// [`kill`](Self::kill), then [`start`](Self::start).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.kill().await;
        self.start().await
    }
}
