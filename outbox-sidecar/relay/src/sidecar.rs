//! A whole sidecar: its admin port, and its parts, which are started anew when
//! the configuration changes.

use anyhow::Context as _;
use outbox_sidecar_core::config::Config;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Admin, CurrentDeadLetters, Wakes, access::CurrentToken},
    config_file::{ConfigFile, Version},
    metrics::Metrics,
    parts::Parts,
    status::Status,
};

/// Runs a sidecar until told to stop; then finishes what is under way.
///
/// A change of the configuration that can be used stops the parts in the same
/// way and starts them anew; one that cannot changes nothing, and is told in the
/// log, in `/status` and in the metrics. The admin port serves throughout.
///
/// # Errors
/// The first configuration is not usable, or the admin port is taken.
pub async fn run(
    mut file: ConfigFile,
    first: Version,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = Metrics::new().context("cannot set up metrics")?;
    let (status, wakes) = (Status::default(), Wakes::default());
    let (dead_letters, token) = (CurrentDeadLetters::default(), CurrentToken::default());
    let mut sidecar = Sidecar { metrics, status, wakes, dead_letters, token, stop, running: first };
    let parts = sidecar.parts(&sidecar.running.config)?;

    let listener = admin::bind(sidecar.running.config.admin.listen).await?;
    let address = listener.local_addr().context("cannot read the admin port's address")?;
    tracing::info!(%address, "the sidecar serves its admin port");
    let served = Admin {
        metrics: sidecar.metrics.clone(),
        status: sidecar.status.clone(),
        wakes: sidecar.wakes.clone(),
        dead_letters: sidecar.dead_letters.clone(),
        token: sidecar.token.clone(),
    };
    // The admin port outlives the parts, so that their end can be watched.
    let admin_stop = CancellationToken::new();
    let admin = tokio::spawn(admin::serve(listener, served, admin_stop.clone()));

    let mut running = sidecar.start(parts);
    while !sidecar.stop.is_cancelled() {
        tokio::select! {
            biased;
            () = sidecar.stop.cancelled() => {}
            ended = &mut running.parts => return ended.context("the parts ended unexpectedly")?,
            change = file.changed() => match change {
                Err(problem) => sidecar.refuse(&problem.into()),
                Ok(version) => match sidecar.accept(version) {
                    Err(problem) => sidecar.refuse(&problem),
                    Ok(None) => {}
                    Ok(Some(parts)) => {
                        running.stop().await?;
                        running = sidecar.start(parts);
                    }
                },
            },
        }
    }
    tracing::info!("stopping: finishing what is under way");
    running.stop().await?;
    admin_stop.cancel();
    admin.await.context("the admin port ended unexpectedly")?.context("the admin port failed")?;
    tracing::info!("stopped");
    Ok(())
}

struct Sidecar {
    metrics: Metrics,
    status: Status,
    wakes: Wakes,
    dead_letters: CurrentDeadLetters,
    token: CurrentToken,
    stop: CancellationToken,
    /// What the parts run with.
    running: Version,
}

/// Parts that run.
struct Running {
    parts: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Running {
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.parts.await.context("the parts ended unexpectedly")?
    }
}

impl Sidecar {
    fn parts(&self, config: &Config) -> anyhow::Result<Parts> {
        Parts::new(config, &self.metrics, &self.status)
    }

    /// Starts the parts of the running version.
    fn start(&self, parts: Parts) -> Running {
        let config = &self.running.config;
        self.metrics.reconfigured(config);
        self.status.reconfigured(config);
        self.wakes.replace(parts.wakes());
        self.dead_letters.replace(parts.dead_letters());
        self.token.replace(parts.admin_token());
        let (outboxes, inboxes) = (config.outboxes.len(), config.inboxes.len());
        tracing::info!(config = config.fingerprint(), outboxes, inboxes, "starting the parts");
        let stop = self.stop.child_token();
        Running { parts: tokio::spawn(parts.run(stop.clone())), stop }
    }

    /// Makes the parts of a changed configuration; none if it is the running one again.
    fn accept(&mut self, version: Version) -> anyhow::Result<Option<Parts>> {
        if version == self.running {
            self.metrics.reload_succeeded();
            self.status.reload_problem(None);
            tracing::info!("the configuration file has changed, but not what it says");
            return Ok(None);
        }
        let (now, new) = (self.running.config.admin.listen, version.config.admin.listen);
        anyhow::ensure!(
            now == new,
            "admin.listen: cannot change from {now} to {new} while the sidecar runs; restart it"
        );
        let parts = self.parts(&version.config)?;
        tracing::info!("the configuration has changed; starting anew with it");
        self.running = version;
        Ok(Some(parts))
    }

    fn refuse(&self, problem: &anyhow::Error) {
        let problem = format!("{problem:#}");
        tracing::error!(
            error = problem,
            "the changed configuration cannot be used; going on with the old one"
        );
        self.metrics.reload_failed();
        self.status.reload_problem(Some(problem));
    }
}
