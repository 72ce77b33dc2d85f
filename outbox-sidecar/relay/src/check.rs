//! Checking a configuration: its file, with errors that name file, line and
//! remedy, and what it names ([`live`]).

pub mod live;

use std::{fs, path::Path};

use outbox_sidecar_core::config::Config;

/// A configuration file that a sidecar cannot run with. The message starts
/// with `FILE:LINE:COLUMN` where the problem has a place in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);

/// Reads and checks a configuration file.
///
/// # Errors
/// It cannot be read, is not valid, or names what only a cluster has.
pub fn read(path: &Path) -> Result<Config, Unusable> {
    parse(path, &text(path)?)
}

/// The file's text.
pub(crate) fn text(path: &Path) -> Result<String, Unusable> {
    fs::read_to_string(path)
        .map_err(|error| Unusable(format!("cannot read {}: {error}", path.display())))
}

/// Checks the text of a configuration file.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, Unusable> {
    let file = path.display();
    let config = Config::parse(text).map_err(|error| {
        let Some((line, _)) = error.line_and_column() else {
            return Unusable(format!("{file}: {error}"));
        };
        let index = usize::try_from(line).unwrap_or(0).saturating_sub(1);
        match text.lines().nth(index).filter(|_| error.may_quote()) {
            Some(source) => Unusable(format!("{file}:{error}\n  {line} | {source}")),
            None => Unusable(format!("{file}:{error}")),
        }
    })?;
    match config.outside_cluster() {
        Ok(()) => Ok(config),
        Err(error) => Err(Unusable(format!("{file}: {error}"))),
    }
}
