//! The two-snapshot window: which rows come next, without a status column.
//!
//! A cursor remembers the last *published* snapshot `S0`. A pass takes the
//! current snapshot `S1` and publishes the rows visible in `S1` but not in `S0`,
//! by position. So a transaction that commits late is in some later window, and
//! one that stays open for long holds up nobody else. Rows of one key keep their
//! commit order as long as writers of that key serialise on it: the earlier one
//! is then visible in every snapshot that shows the later one, and took the
//! lower position under the lock.
//!
//! A window larger than one chunk stays *open*: `S1` is kept beside `S0`, with
//! the last published position, until it is exhausted.

use crate::snapshot::Snapshot;

/// A row's place in the outbox: its identity column.
pub type Position = i64;

/// How far a bucket has been published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    published: Snapshot,
    open: Option<OpenWindow>,
}

/// A window of which a part has been published.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OpenWindow {
    /// The window's upper snapshot.
    pub until: Snapshot,
    /// The last published position within the window.
    pub after: Position,
}

impl Cursor {
    /// A cursor before the first row.
    pub fn start() -> Self {
        Self::at(Snapshot::nothing(), None)
    }

    /// A cursor as it was stored.
    pub fn at(published: Snapshot, open: Option<OpenWindow>) -> Self {
        Self { published, open }
    }

    /// Everything visible in this snapshot has been published.
    pub fn published(&self) -> &Snapshot {
        &self.published
    }

    /// The window being worked through, if it was too large for one chunk.
    pub fn open(&self) -> Option<&OpenWindow> {
        self.open.as_ref()
    }

    /// The cursor after a chunk of the window up to `until` has been published.
    ///
    /// `last` is the chunk's last position, `None` for an empty one. `exhausted`
    /// says that the chunk was shorter than its limit, so the window holds no
    /// more rows. `until` is ignored while a window is open: the open one goes on.
    pub fn advance(&self, until: &Snapshot, last: Option<Position>, exhausted: bool) -> Self {
        let until = self.open.as_ref().map_or(until, |open| &open.until);
        match last {
            Some(after) if !exhausted => {
                Self::at(self.published.clone(), Some(OpenWindow { until: until.clone(), after }))
            }
            _ => Self::at(until.clone(), None),
        }
    }

    /// Whether a row belongs to the next chunk when the window's upper snapshot
    /// is `until`. The relay's SQL says the same; the tests compare the two.
    pub fn selects(&self, until: &Snapshot, xid: u64, position: Position) -> bool {
        let (until, after) = match &self.open {
            Some(open) => (&open.until, Some(open.after)),
            None => (until, None),
        };
        until.sees(xid) && !self.published.sees(xid) && after.is_none_or(|after| position > after)
    }
}

#[cfg(test)]
mod tests;
