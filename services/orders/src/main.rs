//! The orders service.

use std::process::ExitCode;

use orders::Settings;

fn main() -> ExitCode {
    match kit::settings::parse::<Settings>() {
        Ok(settings) => {
            kit::process::run(&settings.service.telemetry.clone(), orders::run(settings))
        }
        Err(code) => code,
    }
}
