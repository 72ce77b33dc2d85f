//! `local-stack clean-data`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::data_lock::DataLock;
use crate::log;

/// What `up` keeps in its data folder; nothing else in there is touched.
const KEPT: [&str; 4] = ["postgres", "kafka", "run", "lock"];

pub(crate) fn run(data_dir: &Path) -> anyhow::Result<ExitCode> {
    if !data_dir.exists() {
        log::info(&format!("there is no data in {}", data_dir.display()));
        return Ok(ExitCode::SUCCESS);
    }
    if !data_dir.is_dir() {
        bail!("{} is not a folder", data_dir.display());
    }
    let _lock = DataLock::acquire(data_dir)?;
    for name in KEPT {
        let path = data_dir.join(name);
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                return Err(err).with_context(|| format!("cannot delete {}", path.display()));
            }
            _ => {}
        }
    }
    log::info(&format!("deleted the data in {}", data_dir.display()));
    Ok(ExitCode::SUCCESS)
}
