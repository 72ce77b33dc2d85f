//! Looking at the configured tables before relying on them: everything that is
//! missing, each with what mends it.

mod catalog;
mod inbox;
mod outbox;
mod rows;
mod schema;

use std::fmt;

pub use inbox::inspect_inbox;
pub use outbox::{OutboxTable, inspect_outbox};
pub use rows::{inspect_cursors, inspect_rows};
pub use schema::inspect_schema;

/// Something that is not as the configuration needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong: one clause, without a full stop.
    pub problem: String,
    /// The statements that mend it, or what to do instead.
    pub remedy: String,
    /// Whether nothing can be published or received without it. Without the others
    /// it is slow, or keeps what it should delete.
    pub fatal: bool,
}

impl Finding {
    pub(crate) fn fatal(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into(), fatal: true }
    }

    fn not_fatal(self) -> Self {
        Self { fatal: false, ..self }
    }

    fn advised(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into(), fatal: false }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}", self.problem, self.remedy.replace('\n', "\n    "))
    }
}
