//! The command line.

mod inject;
mod settings;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
pub use settings::{CertificateMode, PodMonitorMode, RunSettings};

use crate::{api::custom_resource_definition, error::chain, run, telemetry, yaml};

/// The exit code for a configuration that cannot work (`EX_USAGE` of sysexits).
const BAD_CONFIGURATION: u8 = 64;

/// Gives pods their outbox sidecar, and says in the Relay's status whether
/// messages flow.
#[derive(Parser)]
#[command(name = "outbox-operator", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run in a cluster until SIGTERM or SIGINT.
    Run(Box<RunSettings>),
    /// Print the definition of the custom resource Relay.
    Crd,
    /// Add sidecars to manifests, for clusters without the webhook.
    Inject(inject::InjectSettings),
    /// Print the version.
    Version,
}

/// Carries out the command line of this process.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]
pub fn main() -> ExitCode {
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
    let outcome = match arguments.command {
        Command::Run(settings) => return run_operator(*settings),
        Command::Crd => yaml::print(&custom_resource_definition()).map_err(|e| e.to_string()),
        Command::Inject(settings) => settings.run(),
        Command::Version => Ok(format!("outbox-operator {}\n", env!("CARGO_PKG_VERSION"))),
    };
    match outcome {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(BAD_CONFIGURATION)
        }
    }
}

#[allow(clippy::print_stderr, reason = "the log may not have been started")]
fn run_operator(settings: RunSettings) -> ExitCode {
    if let Err(error) = telemetry::start(settings.log_format, &settings.log) {
        eprintln!(
            "error: `{}` is not a log filter such as info or outbox_operator=debug: {error}",
            settings.log
        );
        return ExitCode::from(BAD_CONFIGURATION);
    }
    let options = match settings.checked() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    match run::block_on(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %chain(&error), "stopped");
            ExitCode::FAILURE
        }
    }
}
