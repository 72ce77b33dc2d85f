//! The program `outbox-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    outbox_operator::cli::main()
}
