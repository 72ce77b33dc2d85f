//! What a child prints: kept for error messages, and passed on.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Spec;
use crate::error::{IoContext, Result};

/// How many lines are kept per process.
const KEPT_LINES: usize = 200;

/// Receives a child's output line by line, without the line end.
pub type LineSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Where a child's output goes.
#[derive(Clone, Default)]
pub enum Output {
    /// Nowhere, unless the variable `TEST_LOGS` is set: then to stderr, with the child's name.
    #[default]
    Quiet,
    /// Appended to a file.
    File(PathBuf),
    /// To a function, on a thread of its own.
    Lines(LineSink),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiet => f.write_str("Quiet"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Lines(_) => f.write_str("Lines"),
        }
    }
}

/// The last lines of a child's output.
#[derive(Default)]
pub(super) struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn last(&self, count: usize) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skip = lines.len().saturating_sub(count);
        if lines.is_empty() {
            return "    (it printed nothing)".to_owned();
        }
        lines.iter().skip(skip).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// The thread that reads a child's output.
pub(super) struct Pump(JoinHandle<()>);

impl Pump {
    /// Gives the reader a moment to take in the last lines of a dead child; not longer, as a
    /// grandchild may hold the pipe open.
    pub(super) fn settle(&self) {
        let end = Instant::now() + Duration::from_millis(300);
        while !self.0.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(super) fn pump(spec: &Spec, reader: PipeReader, tail: Arc<Tail>) -> Result<Pump> {
    let mut sink = Sink::open(spec)?;
    let handle = thread::Builder::new()
        .name(format!("{}-log", spec.name))
        .spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut raw = Vec::new();
            while matches!(reader.read_until(b'\n', &mut raw), Ok(1..)) {
                let line = String::from_utf8_lossy(&raw).trim_end().to_owned();
                raw.clear();
                sink.write(&line);
                tail.push(line);
            }
        })
        .context(|| format!("start a thread for the output of {}", spec.name))?;
    Ok(Pump(handle))
}

enum Sink {
    Nowhere,
    Stderr(String),
    File(File),
    Lines(LineSink),
}

impl Sink {
    fn open(spec: &Spec) -> Result<Self> {
        Ok(match &spec.output {
            Output::Quiet if std::env::var_os("TEST_LOGS").is_some() => {
                Self::Stderr(spec.name.clone())
            }
            Output::Quiet => Self::Nowhere,
            Output::File(path) => Self::File(
                OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .context(|| format!("open the log file {}", path.display()))?,
            ),
            Output::Lines(sink) => Self::Lines(Arc::clone(sink)),
        })
    }

    /// A log that cannot be written is no reason to stop the child.
    fn write(&mut self, line: &str) {
        let _ = match self {
            Self::Nowhere => Ok(()),
            Self::Stderr(name) => writeln!(std::io::stderr().lock(), "{name}: {line}"),
            Self::File(file) => writeln!(file, "{line}"),
            Self::Lines(sink) => {
                sink(line);
                Ok(())
            }
        };
    }
}
