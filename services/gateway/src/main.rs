//! The gateway.

use std::process::ExitCode;

use gateway::Settings;

fn main() -> ExitCode {
    match kit::settings::parse::<Settings>() {
        Ok(settings) => kit::process::run(&settings.telemetry.clone(), gateway::run(settings)),
        Err(code) => code,
    }
}
