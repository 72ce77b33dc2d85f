//! Temporary folders that go away with the process that made them.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::{IoContext, Result};

/// A temporary folder, removed on drop — and by a small guard process when this process ends
/// without running its destructors (a static, a SIGKILL).
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    guard: Child,
    /// The guard waits for the end of this pipe, which the kernel closes with this process.
    alive: Option<ChildStdin>,
}

/// Blocks until the pipe on stdin is closed, then removes the folder; a dying process may still be
/// writing into it, so it tries for a while.
const GUARD: &str = r#"cat >/dev/null; i=0
while [ -e "$1" ] && [ $i -lt 100 ]; do rm -rf -- "$1" 2>/dev/null; [ -e "$1" ] && sleep 0.1; i=$((i+1)); done"#;

impl Scratch {
    /// A new folder under the system's temporary folder, traversable by everybody: a server may
    /// have to run as another user.
    pub fn new(prefix: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .context(|| "make a temporary folder".to_owned())?
            .keep();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "scratch-guard"])
            .arg(&dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C at the terminal must not reach it before its work is done.
            .process_group(0)
            .spawn()
            .context(|| "start the guard of a temporary folder".to_owned())?;
        let alive = guard.stdin.take();
        Ok(Self { path: dir, guard, alive })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Removed here first, so that a finished test has left nothing behind when it reports;
        // the guard gets what a process on its way out still writes.
        let _ = fs::remove_dir_all(&self.path);
        drop(self.alive.take());
        let _ = self.guard.wait();
    }
}
