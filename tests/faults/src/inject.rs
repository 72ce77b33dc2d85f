//! How a fault is done, and undone.

use std::{sync::atomic::Ordering, time::Duration};

use fastrand::Rng;
use test_support::process::{Process, Signal};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    application::Failure,
    schedule::{Crash, Fault, Kind, Link},
    world::World,
    writer::{Plan, Poison, Tally, written},
};

/// How long a fast shutdown of the database may take.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// How long an application that is to end with its next event is waited for.
const CRASH_PATIENCE: Duration = Duration::from_secs(5);

/// How long poison is tried to be written while the database is away.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// Does faults.
#[derive(Clone, Copy)]
pub struct Injector<'a> {
    /// To what.
    pub world: &'a World,
    /// How many keys there are.
    pub keys: usize,
    /// Where transactions are counted.
    pub tally: &'a Tally,
    /// Ends faults early; they are undone all the same.
    pub stop: &'a CancellationToken,
}

impl Injector<'_> {
    /// Waits until nothing else happens to the fault's target, does the fault, calls `begun`,
    /// and has undone it when it returns. `false` if it was stopped before it had begun.
    ///
    /// # Errors
    /// It cannot be done or undone.
    pub async fn inject(&self, fault: &Fault, begun: impl FnOnce() + Send) -> anyhow::Result<bool> {
        match fault.kind {
            Kind::RelayKilled | Kind::RelayPaused | Kind::RelayStopped => {
                self.relay(fault, begun).await
            }
            Kind::RelayAdded => self.extra_relay(fault, begun).await,
            Kind::BrokerKilled | Kind::BrokerRestarted => self.broker(fault, begun).await,
            Kind::DatabaseKilled | Kind::DatabaseRestarted => self.database(fault, begun).await,
            Kind::DatabaseCut | Kind::DatabaseRefused | Kind::DatabaseStalled => {
                self.database_link(fault, begun).await
            }
            Kind::KafkaCut | Kind::KafkaRefused | Kind::KafkaStalled => {
                self.kafka_link(fault, begun).await
            }
            Kind::TransactionHeld => self.held_transaction(fault, begun).await,
            Kind::PoisonWritten => self.poison(fault, begun).await,
            Kind::ApplicationSlowed | Kind::ApplicationPaused | Kind::ApplicationCrashed => {
                self.application(fault, begun).await
            }
        }
    }

    async fn relay(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let Some(relay) = self.world.relays.get(fault.relay) else { return Ok(false) };
        let Some(mut process) = self.turn(&relay.process).await else { return Ok(false) };
        let Some(running) = process.as_ref().filter(|process| process.is_running()) else {
            // It ended by itself, which is looked after elsewhere.
            return Ok(false);
        };
        begun();
        if fault.kind == Kind::RelayPaused {
            running.signal(Signal::STOP);
            self.wait(fault.lasts).await;
            running.signal(Signal::CONT);
            return Ok(true);
        }
        if fault.kind == Kind::RelayKilled {
            running.kill().await;
        } else if let Some(problem) = relay.stopped(running).await {
            self.world.note(problem);
        }
        self.wait(fault.lasts).await;
        *process = Some(relay.started().await?);
        Ok(true)
    }

    async fn extra_relay(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let relay = self.world.extra_relay()?;
        let Some(mut process) = self.turn(&relay.process).await else { return Ok(false) };
        begun();
        let added: &Process = process.insert(relay.started().await?);
        self.wait(fault.lasts).await;
        if let Some(problem) = relay.stopped(added).await {
            self.world.note(problem);
        }
        *process = None;
        Ok(true)
    }

    async fn broker(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let Some(_turn) = self.turn(&self.world.broker_turn).await else { return Ok(false) };
        begun();
        let broker = &self.world.broker;
        if fault.kind == Kind::BrokerKilled {
            broker.kill().await;
        } else {
            broker.stop().await;
        }
        self.wait(fault.lasts).await;
        broker.start().await?;
        Ok(true)
    }

    async fn database(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let Some(_turn) = self.turn(&self.world.cluster_turn).await else { return Ok(false) };
        begun();
        let cluster = &self.world.cluster;
        if fault.kind == Kind::DatabaseKilled {
            cluster.kill().await;
        } else {
            cluster.stop(SHUTDOWN).await;
        }
        self.wait(fault.lasts).await;
        cluster.start().await?;
        Ok(true)
    }

    async fn database_link(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let link = match fault.link {
            Link::Relay(number) => self.world.relays.get(number).map(|relay| &relay.database),
            Link::Application => Some(&self.world.application.database),
        };
        let Some(link) = link else { return Ok(false) };
        let Some(proxy) = self.turn(link).await else { return Ok(false) };
        begun();
        match fault.kind {
            Kind::DatabaseCut => proxy.cut(),
            Kind::DatabaseRefused => proxy.refuse(),
            _ => proxy.stall(),
        }
        self.wait(fault.lasts).await;
        proxy.restore();
        Ok(true)
    }

    async fn kafka_link(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let Some(proxy) = self.world.broker.proxy() else { return Ok(false) };
        let Some(_turn) = self.turn(&self.world.kafka_turn).await else { return Ok(false) };
        begun();
        match fault.kind {
            Kind::KafkaCut => proxy.cut(),
            Kind::KafkaRefused => proxy.refuse(),
            _ => proxy.stall(),
        }
        self.wait(fault.lasts).await;
        proxy.restore();
        Ok(true)
    }

    async fn application(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        let application = &self.world.application;
        let Some(process) = self.turn(&application.process).await else { return Ok(false) };
        if !process.is_running() {
            return Ok(false);
        }
        begun();
        match fault.kind {
            Kind::ApplicationSlowed => {
                let delay = u64::try_from(fault.delay.as_millis())?;
                application.fail(Failure::Slow(delay)).await?;
                self.wait(fault.lasts).await;
                application.fail(Failure::None).await?;
            }
            Kind::ApplicationPaused => {
                process.signal(Signal::STOP);
                self.wait(fault.lasts).await;
                process.signal(Signal::CONT);
            }
            _ => {
                match fault.crash {
                    Crash::Anywhere => {}
                    Crash::BeforeCommit => application.fail(Failure::EndBeforeCommit).await?,
                    Crash::AfterCommit => application.fail(Failure::EndAfterCommit).await?,
                }
                if fault.crash != Crash::Anywhere {
                    // No event may come, as the database is away.
                    let _ = timeout(CRASH_PATIENCE, process.wait()).await;
                }
                process.kill().await;
                self.wait(fault.lasts).await;
                application.restarted(&process).await?;
            }
        }
        Ok(true)
    }

    /// A transaction that a database that goes away breaks off is none that was committed.
    async fn held_transaction(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        begun();
        let plan = Plan::held(&mut Rng::with_seed(fault.seed), self.keys, fault.lasts);
        let counter = match written(&self.world.database, &mut None, &plan).await {
            Ok(()) => &self.tally.committed,
            Err(_) => &self.tally.broken,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    }

    async fn poison(&self, fault: &Fault, begun: impl FnOnce()) -> anyhow::Result<bool> {
        begun();
        let mut rng = Rng::with_seed(fault.seed);
        let mut client = None;
        let end = Instant::now() + WRITE_PATIENCE;
        for _ in 0..fault.rows {
            for poison in Poison::each(&mut rng) {
                // The same ids again would not tell a commit that was unheard from one that was
                // not: every attempt is an event of its own.
                while Instant::now() < end && !self.stop.is_cancelled() {
                    let plan = Plan::poisoned(&mut rng, self.keys, poison.clone());
                    if written(&self.world.database, &mut client, &plan).await.is_ok() {
                        self.tally.committed.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                    self.tally.broken.fetch_add(1, Ordering::Relaxed);
                    client = None;
                    self.wait(Duration::from_millis(200)).await;
                }
            }
        }
        Ok(true)
    }

    /// The lock, unless stopped before it is free.
    async fn turn<'a, T>(&self, lock: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            guard = lock.lock() => Some(guard),
        }
    }

    async fn wait(&self, time: Duration) {
        tokio::select! {
            () = sleep(time) => {}
            () = self.stop.cancelled() => {}
        }
    }
}
