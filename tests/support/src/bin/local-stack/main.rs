//! Runs the shop, or just its servers for tests, as processes of this machine.

mod address_file;
mod clean_data;
mod data_lock;
mod log;
mod pid_files;
mod supervise;
mod test_env;
mod up;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test_support::workspace_root;

/// Runs the shop on this machine: PostgreSQL, Kafka, the services, their sidecars, the gateway and
/// the web interface, as plain processes without containers.
#[derive(Parser)]
#[command(name = "local-stack", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything until Ctrl-C.
    ///
    /// A part that dies is started again. Each part's process id is in .dev/run/<part>.pid, so
    /// that killing one by hand is easy: kill -9 $(cat .dev/run/orders-sidecar.pid)
    Up {
        /// Where databases, topics and messages are kept between runs. Default: .dev/data
        #[arg(long, env = "LOCAL_STACK_DATA_DIR")]
        data_dir: Option<PathBuf>,
        /// Leave out the web interface.
        #[arg(long)]
        no_ui: bool,
        /// Use ports that are free instead of the documented ones, to run beside another shop (with
        /// a --data-dir of its own).
        ///
        /// Where it then listens is said once everything is ready, and is in
        /// <data-dir>/run/addresses.env.
        #[arg(long)]
        free_ports: bool,
    },
    /// Run a command with a throwaway PostgreSQL server and Kafka broker.
    ///
    /// The command finds them in TEST_POSTGRES_URL and TEST_KAFKA_BOOTSTRAP; its exit code is
    /// passed on.
    TestEnv {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Delete what `up` has kept: all orders, accounts, topics and messages.
    CleanData {
        /// The folder given to `up`. Default: .dev/data
        #[arg(long, env = "LOCAL_STACK_DATA_DIR")]
        data_dir: Option<PathBuf>,
    },
}

// One thread is plenty, and the parent-death signal of a child is tied to the thread that
// started it: the main thread lives until the end.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let default_data = || workspace_root().join(".dev/data");
    let done = match Cli::parse().command {
        Command::Up { data_dir, no_ui, free_ports } => {
            // Two shops must not write over each other's files.
            let run_dir = match &data_dir {
                Some(dir) => dir.join("run"),
                None => workspace_root().join(".dev/run"),
            };
            let data_dir = data_dir.unwrap_or_else(default_data);
            up::run(up::Settings { data_dir, run_dir, ui: !no_ui, free_ports }).await
        }
        Command::TestEnv { command } => test_env::run(command).await,
        Command::CleanData { data_dir } => clean_data::run(&data_dir.unwrap_or_else(default_data)),
    };
    done.unwrap_or_else(|err| {
        log::error(&format!("{err:#}"));
        ExitCode::FAILURE
    })
}
