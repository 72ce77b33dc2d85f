#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line")]
//! Breaks everything a relay depends on, and the relays, while rows are written, and says whether
//! each row has arrived once and in its order.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::{Parser, Subcommand, value_parser};
use fault_ledger::{
    application,
    report::Report,
    run::{Settings, run},
    schedule::Length,
};
use outbox_sidecar_core::config::Delivery;
use tokio_util::sync::CancellationToken;

/// The run was no verdict: something could not be started, or a fault not be undone.
const NO_VERDICT: u8 = 2;

/// Run several relays, writers and an application on a PostgreSQL and a Kafka of their own, do
/// faults to all of them by a schedule that comes from a seed, and compare what was committed with
/// what was published and applied.
///
/// Exit codes: 0 if every row has arrived, once and in the order of its key; 1 if not; 2 if there
/// is no verdict. Ctrl-C ends the faults, and the audit follows; a second one ends everything.
#[derive(Parser)]
#[command(name = "fault-ledger", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// What faults and transactions are drawn from. Default: another one each time.
    ///
    /// The same seed and flags give the same faults at the same times; what they meet differs.
    #[arg(long)]
    seed: Option<u64>,
    /// For how many minutes faults are done, up to 1440.
    #[arg(long, default_value_t = 3.0, value_parser = minutes)]
    minutes: f64,
    /// Do so many faults instead, however long that takes.
    #[arg(long, conflicts_with = "minutes", value_parser = value_parser!(u32).range(1..=10_000))]
    faults: Option<u32>,
    /// Relays that run all along; one more comes and goes.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u8).range(1..=16))]
    relays: u8,
    /// Writers, each with a transaction at a time.
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u8).range(1..=64))]
    writers: u8,
    /// Keys. Each writer writes for all of them.
    #[arg(long, default_value_t = 24, value_parser = value_parser!(u16).range(1..=10_000))]
    keys: u16,
    /// Transactions a second, of all writers together, at most.
    #[arg(long, default_value_t = 150, value_parser = value_parser!(u32).range(1..=5_000))]
    rate: u32,
    /// Seconds from one fault to the next, on average, 0.1 to 600.
    #[arg(long, default_value_t = 4.0, value_parser = gap)]
    gap: f64,
    /// Seconds that the buckets of a dead relay stay unserved, 1 to 10.
    #[arg(long, default_value_t = 2.0, value_parser = lease)]
    lease: f64,
    /// How the relays publish: idempotent or transactional.
    #[arg(long, default_value = "idempotent", value_parser = delivery)]
    delivery: Delivery,
    /// Keep the logs of all processes in this folder.
    #[arg(long)]
    logs: Option<PathBuf>,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Serve the inbox; the run starts this as a process of its own.
    #[command(hide = true)]
    Application {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
        database_url: String,
    },
}

fn minutes(text: &str) -> Result<f64, String> {
    number(text, 0.01, 1_440.0)
}

fn gap(text: &str) -> Result<f64, String> {
    number(text, 0.1, 600.0)
}

fn lease(text: &str) -> Result<f64, String> {
    number(text, 1.0, 10.0)
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("give a number from {least} to {most}")),
    }
}

fn delivery(text: &str) -> Result<Delivery, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

impl Arguments {
    fn settings(&self) -> Settings {
        Settings {
            seed: self.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000)),
            relays: self.relays.into(),
            writers: self.writers.into(),
            keys: self.keys.into(),
            rate: self.rate,
            lease: Duration::from_secs_f64(self.lease),
            delivery: self.delivery,
            gap: Duration::from_secs_f64(self.gap),
            length: match self.faults {
                Some(count) => Length::Faults(usize::try_from(count).unwrap_or(usize::MAX)),
                None => Length::Time(Duration::from_secs_f64(self.minutes * 60.0)),
            },
            logs: self.logs.clone(),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.part {
        Some(Part::Application { listen, database_url }) => {
            application::serve(*listen, database_url).await.map(|()| ExitCode::SUCCESS)
        }
        None => verdict(&arguments.settings()).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(NO_VERDICT)
    })
}

async fn verdict(settings: &Settings) -> anyhow::Result<ExitCode> {
    println!("seed {}", settings.seed);
    let stop = CancellationToken::new();
    tokio::spawn(interrupts(stop.clone()));
    let outcome = run(settings, stop, Arc::new(|line: &str| println!("{line}")))
        .await
        .with_context(|| format!("no verdict on {settings}"))?;
    println!("\n{}", Report { settings, outcome: &outcome });
    Ok(if outcome.audit.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The first Ctrl-C ends the faults, the second one everything: the processes die with this one.
async fn interrupts(stop: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        println!("no more faults; the audit follows (once more Ctrl-C ends everything)");
        stop.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(NO_VERDICT.into());
        }
    }
}
