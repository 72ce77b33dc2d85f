//! The command line of the sidecar.

mod cli;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use outbox_sidecar::{
    check,
    config_file::{ConfigFile, Version},
    error::Error,
    init::{self, NotMade},
    replay, sidecar,
    telemetry::{self, LogFormat},
};
use outbox_sidecar_core::{config::Config, failure::Class};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code for a configuration that cannot work (`EX_USAGE` of sysexits).
const BAD_CONFIGURATION: u8 = 64;

/// Carries an outbox table's rows to Kafka, and Kafka's messages into an inbox
/// table and on to the application.
#[derive(Parser)]
#[command(name = "outbox-sidecar", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run until SIGTERM or SIGINT; a change of the configuration is followed.
    Run {
        /// The configuration file (YAML).
        #[arg(long, env = "OUTBOX_SIDECAR_CONFIG")]
        config: PathBuf,
        /// The form of log lines.
        #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
        log_format: LogFormat,
        /// What is logged: a level, or target=level pairs.
        #[arg(long, env = "RUST_LOG", default_value = "info")]
        log: String,
    },
    /// Check a configuration file and say what is wrong with it.
    Check {
        /// The configuration file (YAML).
        file: PathBuf,
        /// Look at the tables, privileges and topics too, and say everything that is
        /// missing, with what mends it.
        #[arg(long)]
        database: bool,
    },
    /// Print the SQL of a new outbox or inbox, which may be run again.
    Init(init::Wanted),
    /// Publish retained rows of an outbox again, in order, marked by the header `replay`.
    Replay(replay::arguments::Arguments),
    /// Look at what could not be published or applied, and decide what becomes of it.
    DeadLetters {
        #[command(subcommand)]
        command: cli::dead_letters::Command,
    },
    /// Print the versions of the sidecar and of the Kafka client in it.
    Version,
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]
fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => {
            // Also how `--help` and `--version` are answered.
            let code = if answer.use_stderr() { BAD_CONFIGURATION } else { 0 };
            // There is nobody left to tell that the terminal is gone.
            let _ = answer.print();
            return ExitCode::from(code);
        }
    };
    match arguments.command {
        Command::Run { config, log_format, log } => {
            if let Err(error) = telemetry::start(log_format, &log) {
                eprintln!(
                    "error: `{log}` is not a log filter such as info or outbox_sidecar=debug: {error}"
                );
                return ExitCode::from(BAD_CONFIGURATION);
            }
            match ConfigFile::open(config) {
                Ok((file, version)) => exit_code(run(file, version)),
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::from(BAD_CONFIGURATION)
                }
            }
        }
        Command::Check { file, database } => match check::read(&file) {
            Ok(config) => {
                if database && let Err(code) = check_database(&file, &config) {
                    return code;
                }
                println!(
                    "{}: valid; {} outboxes, {} inboxes",
                    file.display(),
                    config.outboxes.len(),
                    config.inboxes.len()
                );
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(BAD_CONFIGURATION)
            }
        },
        Command::Init(wanted) => match init(&wanted) {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Replay(arguments) => match check::read(&arguments.config) {
            Ok(config) => match replay(arguments, &config) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&error),
            },
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(BAD_CONFIGURATION)
            }
        },
        Command::DeadLetters { command } => match dead_letters(command) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Version => {
            let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
            println!("outbox-sidecar {}, librdkafka {librdkafka}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

/// Looks at what the configuration names; says what is missing and ends otherwise.
#[allow(clippy::print_stderr, reason = "this is the command line")]
fn check_database(file: &Path, config: &Config) -> Result<(), ExitCode> {
    let report = runtime().and_then(|runtime| Ok(runtime.block_on(check::live::inspect(config))?));
    match report {
        Ok(report) if report.is_clean() => Ok(()),
        Ok(report) => {
            eprintln!("error: {}: not everything that it needs is there\n{report}", file.display());
            Err(ExitCode::from(BAD_CONFIGURATION))
        }
        Err(error) => Err(fail(&error)),
    }
}

/// What to print.
fn init(wanted: &init::Wanted) -> anyhow::Result<String> {
    let made = wanted.sql()?;
    let applied = runtime()?.block_on(made.apply())?;
    Ok(if applied { "applied; what was there before stayed as it was".into() } else { made.sql })
}

/// Says why a command that is done at once could not be.
#[allow(clippy::print_stderr, reason = "this is the command line")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    code(error)
}

fn code(error: &anyhow::Error) -> ExitCode {
    let outage = |error: &Error| error.class() != Class::Configuration;
    let away = match error.downcast_ref::<NotMade>() {
        Some(NotMade::Database(error)) => outage(error),
        Some(_) => false,
        None if error.is::<check::Unusable>() => false,
        None => error.downcast_ref::<Error>().is_none_or(outage),
    };
    if away { ExitCode::FAILURE } else { ExitCode::from(BAD_CONFIGURATION) }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn exit_code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            code(&error)
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn dead_letters(command: cli::dead_letters::Command) -> anyhow::Result<String> {
    cli::dead_letters::run(command).await
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn run(file: ConfigFile, version: Version) -> anyhow::Result<()> {
    sidecar::run(file, version, stop_signal()?).await
}

#[tokio::main(flavor = "current_thread")]
async fn replay(arguments: replay::arguments::Arguments, config: &Config) -> anyhow::Result<()> {
    arguments.execute(config, stop_signal()?).await
}

/// Cancelled by SIGTERM and SIGINT.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let signals = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        signals.cancel();
    });
    Ok(stop)
}
