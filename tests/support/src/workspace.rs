//! Where this checkout and its build results are.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

/// The root folder of the checkout: `LOCAL_STACK_ROOT`, else the nearest folder above the running
/// executable or the working directory that holds this crate, else where it was compiled.
pub fn workspace_root() -> PathBuf {
    if let Some(root) = env::var_os("LOCAL_STACK_ROOT") {
        return PathBuf::from(root);
    }
    let starts = [env::current_exe().ok(), env::current_dir().ok()];
    starts
        .iter()
        .flatten()
        .flat_map(|start| start.ancestors())
        .find(|dir| dir.join("tests/support/kafka/pom.xml").is_file())
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."), Path::to_path_buf)
}

/// The folder of the workspace's programs: `LOCAL_STACK_BIN_DIR`, else the folder cargo put the
/// running program into: its own, or the one above for a test.
///
/// # Errors
/// The system does not tell where the running program is.
pub fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = env::var_os("LOCAL_STACK_BIN_DIR") {
        return Ok(PathBuf::from(dir));
    }
    let me = env::current_exe().context(|| "find the running program".to_owned())?;
    let dir = me.parent().unwrap_or(Path::new("."));
    Ok(if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir }.to_owned())
}

/// Downloads and templates that are worth keeping between runs; safe to delete at any time.
pub(crate) fn cache_dir() -> PathBuf {
    env::var_os("LOCAL_STACK_CACHE")
        .map_or_else(|| workspace_root().join(".dev/cache"), PathBuf::from)
}
