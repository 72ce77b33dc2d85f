//! Logs.

use std::error::Error;
use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::settings::{ConfigurationError, LogFormat, TelemetrySettings};

/// Starts logging to standard error. A second call in one process changes
/// nothing.
///
/// # Errors
///
/// The filter cannot be parsed.
pub fn init(settings: &TelemetrySettings) -> Result<(), ConfigurationError> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|err| {
        ConfigurationError(format!("the log filter {:?} is not valid: {err}", settings.log))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Fails only when a subscriber is already there, which then stays.
    let _ = match settings.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// Displays an error with everything that caused it: `a: b: c`.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut source = self.0.source();
        while let Some(err) = source {
            let text = err.to_string();
            // Some errors already print what caused them.
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            source = err.source();
        }
        Ok(())
    }
}
