//! The payments service.

use std::process::ExitCode;

use payments::Settings;

fn main() -> ExitCode {
    match kit::settings::parse::<Settings>() {
        Ok(settings) => {
            kit::process::run(&settings.service.telemetry.clone(), payments::run(settings))
        }
        Err(code) => code,
    }
}
