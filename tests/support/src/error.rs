//! What can go wrong while starting or driving a process.

use std::io;
use std::time::Duration;

/// A failure to start, reach or stop something, worded for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An operating system call failed.
    #[error("cannot {what}: {source}")]
    Io {
        /// The attempted action, e.g. `read /tmp/x`.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A program this crate relies on is not on this machine.
    #[error("{what} is missing; {remedy}")]
    Missing {
        /// The program or file.
        what: String,
        /// What the reader can do about it.
        remedy: String,
    },
    /// A fixed port is held by somebody else.
    #[error("port {port}, which {component} needs, is in use{}", holder.as_deref().map(|h| format!(" by {h}")).unwrap_or_default())]
    PortInUse {
        /// The port on the loopback interface.
        port: u16,
        /// What wanted to listen there.
        component: String,
        /// Who listens there now, when it can be told.
        holder: Option<String>,
    },
    /// A process ended while it was expected to run.
    #[error("{name} ended ({status}); its last lines:\n{tail}")]
    Exited {
        /// The process's name.
        name: String,
        /// How it ended.
        status: String,
        /// The end of its output.
        tail: String,
    },
    /// A process runs but did not become ready in time.
    #[error("{name} was not ready after {waited:?}: {reason}; its last lines:\n{tail}")]
    NotReady {
        /// The process's name.
        name: String,
        /// How long it was given.
        waited: Duration,
        /// The last answer of the readiness check.
        reason: String,
        /// The end of its output.
        tail: String,
    },
    /// PostgreSQL refused a statement or a connection.
    #[error("cannot {what}: {source}")]
    Postgres {
        /// The attempted action.
        what: String,
        /// The driver's error.
        source: tokio_postgres::Error,
    },
    /// Kafka refused a request.
    #[error("cannot {what}: {reason}")]
    Kafka {
        /// The attempted action.
        what: String,
        /// The client's error.
        reason: String,
    },
    /// Something given to this crate makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Says what was being done when an I/O error came back.
pub(crate) trait IoContext<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { what: what(), source })
    }
}
