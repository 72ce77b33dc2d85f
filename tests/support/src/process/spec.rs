//! How to start a process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::PipeReader;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::output::Output;
use crate::error::{IoContext, Result};

/// Variables a child inherits. Everything else is left out, so that a `DATABASE_URL` or `LISTEN`
/// in the developer's shell does not configure the shop.
const INHERITED: [&str; 14] = [
    "HOME",
    "JAVA_HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "LOGNAME",
    "PATH",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
];

/// An account to run a process as, by name; needs this process to be root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: String,
    /// Group name or number.
    pub group: String,
}

/// A program, its arguments and how it lives and dies.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
    user: Option<User>,
    pub(crate) on_parent_death: Signal,
    pub(crate) stop_signal: Signal,
    pub(crate) output: Output,
}

impl Spec {
    /// `name` is used in logs and errors; `program` is a path, or a name looked up in `PATH`.
    pub fn new(name: impl Into<String>, program: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            user: None,
            on_parent_death: Signal::KILL,
            stop_signal: Signal::TERM,
            output: Output::default(),
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable. Of this process's own variables only a handful (`PATH`, `HOME`, …) is
    /// inherited.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The account to run as.
    #[must_use]
    pub fn user(mut self, user: Option<User>) -> Self {
        self.user = user;
        self
    }

    /// The signal it gets when this process dies without stopping it (default SIGKILL; a server
    /// with precious data prefers a gentler one).
    #[must_use]
    pub fn on_parent_death(mut self, signal: Signal) -> Self {
        self.on_parent_death = signal;
        self
    }

    /// The signal that asks it to end in good order (default SIGTERM).
    #[must_use]
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// Where its output goes, besides the lines kept for error messages.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// The command, wrapped by `setpriv`, which sets the death signal and the account and then
    /// becomes the program; and the reading end of its output.
    pub(crate) fn command(&self) -> Result<(Command, PipeReader)> {
        let (reader, writer) = std::io::pipe().context(|| "make a pipe".to_owned())?;
        let copy = writer.try_clone().context(|| "duplicate a pipe".to_owned())?;
        let mut command = Command::new("setpriv");
        command.arg("--pdeathsig").arg(signal_name(self.on_parent_death));
        if let Some(user) = &self.user {
            command.args(["--reuid", &user.name, "--regid", &user.group, "--clear-groups"]);
        }
        command.arg("--").arg(&self.program).args(&self.args);
        command.env_clear();
        command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
        // Its output goes through a pipe, into files and behind prefixes.
        command.env("NO_COLOR", "1");
        command.envs(self.env.iter().map(|(key, value)| (key, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.stdin(Stdio::null()).stdout(writer).stderr(copy);
        // A group of its own: Ctrl-C at the terminal reaches only this process, which then stops
        // its children in order.
        command.process_group(0);
        Ok((command, reader))
    }
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::TERM => "TERM",
        Signal::INT => "INT",
        _ => "KILL",
    }
}
