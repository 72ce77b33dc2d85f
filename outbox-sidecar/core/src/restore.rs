//! An outbox whose database is not the one from before.
//!
//! Cursors speak of transaction ids, and these belong to one database cluster. A
//! dump restored into another brings rows and cursors with ids of the old one,
//! while new rows get ids of the new one, which may be lower: by the cursor they
//! would count as published. So what is remembered of the database, an
//! [`Origin`], is compared with the one that is there ([`judge`]).
//!
//! After a restore nothing is concluded from the ids of new rows. What the old
//! database had published is known from its cursor and the highest position
//! published there ([`Before`]); new rows have higher ones. One window of
//! everything that is there and not known to be published is worked through by
//! position; then windows go on as ever, but for rows carried over, whose ids
//! mean nothing here ([`carried`]).
//!
//! A failover or a recovery to a point in time is none of this: cursors, rows
//! and ids went back together.

use crate::{
    snapshot::{Snapshot, Xid},
    window::{Cursor, OpenWindow, Position},
};

/// What there is to tell one database from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Stays the same as long as transaction ids are of the same sequence.
    pub database: String,
    /// No transaction at or above this id has ended.
    pub xmax: Xid,
}

/// Why the database is not the one that the cursors are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// Its identity is another one.
    Elsewhere,
    /// Its transaction ids are behind the cursors.
    Backwards,
    /// There are no cursors yet, but rows whose ids have not been given out here.
    RowsAhead,
}

impl Restored {
    /// What is wrong, to go behind "the database".
    pub fn reason(self) -> &'static str {
        match self {
            Self::Elsewhere => "is not the one that the cursors are from",
            Self::Backwards => "has transaction ids behind those of the cursors",
            Self::RowsAhead => "has rows with transaction ids that it has not given out yet",
        }
    }
}

/// Whether a database is another one than the cursors are from.
///
/// `known` is the remembered [`Origin::database`], `cursor` the highest
/// [`Snapshot::xmax`] of the cursors, `rows_ahead` whether a row's id has not
/// been given out yet.
pub fn judge(now: &Origin, known: Option<&str>, cursor: Xid, rows_ahead: bool) -> Option<Restored> {
    if cursor > now.xmax {
        return Some(Restored::Backwards);
    }
    match known {
        Some(database) if database != now.database => Some(Restored::Elsewhere),
        None if rows_ahead => Some(Restored::RowsAhead),
        _ => None,
    }
}

/// Where a bucket starts after a restore: before the first row of a window up to
/// `until`.
pub fn restart(until: Snapshot) -> Cursor {
    Cursor::at(Snapshot::nothing(), Some(OpenWindow { until, after: Position::MIN }))
}

/// Whether a cursor is still within the window of [`restart`], in an outbox that
/// has been restored.
pub fn is_restarting(cursor: &Cursor) -> bool {
    *cursor.published() == Snapshot::nothing() && cursor.open().is_some()
}

/// What a bucket had published in the database of before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The cursor stored there.
    pub cursor: Cursor,
    /// The highest position known to have been published there. A higher row may
    /// be a new one, so that the cursor says nothing about it.
    pub highest: Option<Position>,
}

impl Before {
    /// Whether a row was surely published there.
    pub fn published(&self, xid: Xid, position: Position) -> bool {
        let in_window = |open: &OpenWindow| open.until.sees(xid) && position <= open.after;
        self.highest.is_some_and(|highest| position <= highest)
            && (self.cursor.published().sees(xid) || self.cursor.open().is_some_and(in_window))
    }
}

/// Whether a row was carried over by a restore, as far as it matters. `tuple` is
/// the transaction that stored it in this database. A row written here was stored
/// by the transaction whose id it has, or by a later part of it; one carried over
/// by a transaction of the restore. Where that is the later one, the row's id is
/// in the past of every snapshot taken since the restore.
pub fn carried(xid: Xid, tuple: Xid, xmax: Xid) -> bool {
    xid >= xmax || tuple < xid
}

#[cfg(test)]
mod tests;
