//! Chunks that are sent, until their cursors are stored.
//!
//! The next chunk is read and sent while the broker and the database still have to
//! answer for those before it. Cursors are stored in the order of the chunks, one
//! at a time, and one for all chunks that are acknowledged by then. When a chunk
//! fails, those behind it are given up with it, and are read again.

use std::{collections::VecDeque, future::pending, time::Instant};

use outbox_sidecar_core::window::{Cursor, Position};
use tokio::task::JoinHandle;

use super::{claim::RowIds, lease::Lane, publisher::InFlight};
use crate::error::Error;

/// Small chunks that may be under way at a time.
const MANY: usize = 8;

/// Chunks that are under way, the first one first.
#[derive(Default)]
pub(super) struct UnderWay {
    pub(super) chunks: VecDeque<Sent>,
    storing: Option<Storing>,
    /// Still to be followed up.
    stored: Option<Stored>,
}

/// A chunk that is sent.
pub(super) struct Sent {
    /// Where it was read from.
    pub(super) lane: Lane,
    /// Where that is when the chunk is published.
    pub(super) cursor: Cursor,
    pub(super) in_flight: InFlight,
    pub(super) facts: Facts,
    /// Of the rows, if they have to be retired.
    pub(super) ids: RowIds,
}

/// What is told of a chunk when it is published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) rows: usize,
    pub(super) bytes: usize,
    /// It ended because it was full.
    pub(super) full: bool,
    pub(super) last: Option<Position>,
    /// The age of its oldest row when it was read, in seconds.
    pub(super) oldest: Option<f64>,
    /// When reading began.
    pub(super) started: Instant,
}

/// A cursor on its way to the database.
pub(super) struct Storing {
    pub(super) lane: Lane,
    pub(super) cursor: Cursor,
    /// The chunks before it.
    pub(super) chunks: Vec<Facts>,
    /// Of their rows that are retired with it.
    pub(super) ids: Vec<RowIds>,
    pub(super) task: JoinHandle<Result<Instant, Error>>,
}

/// A cursor that is stored, or not.
pub(super) struct Stored {
    pub(super) lane: Lane,
    pub(super) cursor: Cursor,
    pub(super) chunks: Vec<Facts>,
    /// When it was asked for.
    pub(super) asked_at: Result<Instant, Error>,
}

impl UnderWay {
    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.storing.is_none() && self.stored.is_none()
    }

    /// Whether a chunk may be sent behind those that are, where a full one has `full` bytes:
    /// there is room for a second one unless the first has far larger rows than that, and for
    /// more as long as they are small.
    pub(super) fn has_room(&self, full: usize) -> bool {
        let bytes: usize = self.chunks.iter().map(|chunk| chunk.facts.bytes).sum();
        match self.chunks.len() {
            0 => true,
            1 => bytes <= full.saturating_mul(2),
            many => many < MANY && bytes < full,
        }
    }

    /// Whether the last chunk has rows that were not sent: what becomes of them has to be
    /// stored before another chunk is read.
    pub(super) fn lacks_rows(&self) -> bool {
        self.chunks.back().is_some_and(|chunk| chunk.in_flight.lacks_rows())
    }

    /// Whether there is something to follow up.
    pub(super) fn has_moved(&self) -> bool {
        match (&self.stored, &self.storing, self.chunks.front()) {
            (Some(_), ..) => true,
            (None, Some(storing), _) => storing.task.is_finished(),
            (None, None, Some(first)) => {
                first.in_flight.has_failed() || first.in_flight.tally().is_complete()
            }
            (None, None, None) => false,
        }
    }

    /// Waits until there is something to follow up. May be given up and begun anew.
    pub(super) async fn moved(&mut self) {
        if self.stored.is_some() {
            return;
        }
        if let Some(storing) = &mut self.storing {
            let answer = (&mut storing.task).await;
            let asked_at = answer.unwrap_or(Err(Error::Ended("storing the cursor")));
            self.stored = self.storing.take().map(|Storing { lane, cursor, chunks, .. }| Stored {
                lane,
                cursor,
                chunks,
                asked_at,
            });
        } else if let Some(first) = self.chunks.front() {
            if !first.in_flight.has_failed() {
                first.in_flight.tally().complete_or_failed().await;
            }
        } else {
            pending().await
        }
    }

    /// Of all rows that are still to be retired.
    pub(super) fn positions(&self) -> Vec<Position> {
        let storing = self.storing.iter().flat_map(|storing| &storing.ids);
        let sent = self.chunks.iter().map(|chunk| &chunk.ids);
        storing.chain(sent).flat_map(|ids| ids.iter()).map(|row| row.position).collect()
    }

    /// Takes the cursor that is stored, if one is.
    pub(super) fn take_stored(&mut self) -> Option<Stored> {
        self.stored.take()
    }

    /// Notes that a cursor is on its way.
    pub(super) fn stores(&mut self, storing: Storing) {
        self.storing = Some(storing);
    }

    /// Whether a cursor is on its way.
    pub(super) fn is_storing(&self) -> bool {
        self.storing.is_some()
    }

    /// Whether a chunk has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.in_flight.has_failed())
    }

    /// Takes the first chunk if it is acknowledged, with those behind it that are too, are of
    /// the same buckets and lack no rows.
    pub(super) fn take_acknowledged(&mut self) -> Vec<Sent> {
        let mut taken: Vec<Sent> = Vec::new();
        while let Some(chunk) = self.chunks.pop_front_if(|chunk| {
            let alike = taken.first().is_none_or(|first| {
                !first.in_flight.lacks_rows() && first.lane.is_same(&chunk.lane)
            });
            let alone = taken.is_empty() || !chunk.in_flight.lacks_rows();
            alike && alone && chunk.in_flight.tally().is_complete()
        }) {
            taken.push(chunk);
        }
        taken
    }
}
