//! Reading a configuration file, with errors that name file, line and remedy.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use outbox_sidecar_core::config::Config;

/// Reads and checks a configuration file.
///
/// # Errors
/// It cannot be read, or is not valid; the message starts with
/// `FILE:LINE:COLUMN` where the problem has a place.
pub fn read(path: &Path) -> anyhow::Result<Config> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Config::parse(&text).map_err(|error| match error.line_and_column() {
        Some((line, _)) => {
            let source = text
                .lines()
                .nth(usize::try_from(line).unwrap_or(0).saturating_sub(1))
                .unwrap_or_default();
            anyhow!("{}:{error}\n  {line} | {source}", path.display())
        }
        None => anyhow!("{}: {error}", path.display()),
    })
}
