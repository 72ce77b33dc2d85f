//! `local-stack test-env`.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use test_support::fixtures::{KAFKA_VARIABLE, POSTGRES_VARIABLE};
use test_support::kafka::Broker;
use test_support::postgres::Cluster;
use tokio::signal::unix::{SignalKind, signal};

use crate::log;

pub(crate) async fn run(command: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let (postgres, kafka) = tokio::try_join!(Cluster::temporary(), Broker::temporary())?;
    let took = begun.elapsed().as_secs_f32();
    log::info(&format!("PostgreSQL and Kafka are ready after {took:.1} s"));

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = command.first().cloned().unwrap_or_default();
    // In the foreground group, so that Ctrl-C reaches the command as well.
    let mut child = tokio::process::Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--"])
        .args(&command)
        .env(POSTGRES_VARIABLE, postgres.admin_url())
        .env(KAFKA_VARIABLE, kafka.bootstrap())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", name.display()))?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            // The command decides how to end.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
                }
            }
        }
    };
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
