//! One file per part with its process id.

use std::fs;
use std::path::PathBuf;

use crate::log;

/// Removes its files when dropped.
pub(crate) struct PidFiles {
    dir: PathBuf,
}

impl PidFiles {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// A convenience for people: failing to write one is said, and that is all.
    pub(crate) fn write(&self, part: &str, pid: u32) {
        let path = self.dir.join(format!("{part}.pid"));
        if let Err(err) = fs::write(&path, format!("{pid}\n")) {
            log::error(&format!("cannot write {}: {err}", path.display()));
        }
    }

    pub(crate) fn remove(&self, part: &str) {
        let _ = fs::remove_file(self.dir.join(format!("{part}.pid")));
    }
}
