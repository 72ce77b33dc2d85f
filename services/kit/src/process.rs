//! The life of a service's process.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::admin::Readiness;
use crate::database::DatabaseError;
use crate::server::Listener;
use crate::settings::{ConfigurationError, EXIT_BAD_CONFIGURATION, TelemetrySettings};
use crate::telemetry::{self, Chain};

/// Why a service ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A listener could not be bound, or signals not be listened for.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The metrics are wrongly defined.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Starts logging and runs a service to its end, on a runtime of its own.
///
/// Returns 0 after a graceful stop, 64 for a bad setting, else 1.
pub fn run(
    telemetry: &TelemetrySettings,
    service: impl Future<Output = Result<(), Error>>,
) -> ExitCode {
    let outcome = telemetry::init(telemetry)
        .map_err(Error::from)
        .and_then(|()| Ok(tokio::runtime::Runtime::new()?))
        .and_then(|runtime| runtime.block_on(service));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            // Not through the log, which a bad log filter leaves closed.
            #[expect(clippy::print_stderr, reason = "the last words of the process")]
            {
                eprintln!("error: {}", Chain(&err));
            }
            ExitCode::from(match err {
                Error::Configuration(_) => EXIT_BAD_CONFIGURATION,
                _ => 1,
            })
        }
    }
}

/// A token that SIGTERM and SIGINT cancel.
///
/// # Errors
///
/// Signals cannot be listened for.
pub fn stop_on_signals() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
        }
        signalled.cancel();
    });
    Ok(stop)
}

/// The listeners of a process, and how they stop.
#[derive(Debug)]
pub struct Listeners {
    /// Those that take requests; stopped first.
    pub serving: Vec<Listener>,
    /// The admin listener; answers until the others are done.
    pub admin: AdminListener,
    /// Told when the process is ready and when it stops.
    pub readiness: Readiness,
    /// How long requests in flight may run after `stop`.
    pub grace: Duration,
}

/// The admin listener, already answering, so that the process can be watched
/// while it starts.
#[derive(Debug)]
pub struct AdminListener {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl AdminListener {
    /// Starts answering.
    #[must_use]
    pub fn start(listener: Listener) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(listener.serve(stop.clone(), Duration::from_secs(1)));
        Self { stop, task }
    }
}

impl Listeners {
    /// Serves until `stop`, then until what is in flight is done.
    pub async fn serve(self, stop: CancellationToken) {
        self.readiness.set_ready();
        let serving: Vec<_> = self
            .serving
            .into_iter()
            .map(|listener| tokio::spawn(listener.serve(stop.clone(), self.grace)))
            .collect();
        stop.cancelled().await;
        self.readiness.set_stopping();
        for task in serving {
            let _ = task.await;
        }
        self.admin.stop.cancel();
        let _ = self.admin.task.await;
    }
}
