//! Chunks that are sent, until their cursors are stored.
//!
//! The next chunk is read and sent while the broker and the database still have to
//! answer for those before it. A chunk is sent; when it is acknowledged, its
//! transactions are committed, if it has any; then it is published, and waits with
//! others until their cursor is stored. Chunks are committed and cursors stored in
//! the order of the chunks, one at a time each. When a chunk fails, those behind it
//! are given up with it, and are read again.

use std::{
    collections::VecDeque,
    future::pending,
    time::{Duration, Instant},
};

use outbox_sidecar_core::{
    pace::rest_after_store,
    window::{Cursor, Position},
};
use tokio::{task::JoinHandle, time::sleep_until};

use super::{claim::RowIds, lease::Lane, publisher::InFlight};
use crate::error::Error;

/// Small chunks that may be under way at a time.
const MANY: usize = 8;

/// Chunks that are under way, the first one first.
#[derive(Default)]
pub(super) struct UnderWay {
    /// Those that are sent.
    pub(super) chunks: VecDeque<Sent>,
    committing: Option<Committing>,
    /// Still to be followed up.
    committed: Option<Committed>,
    published: Option<Published>,
    storing: Option<Storing>,
    /// Still to be followed up.
    stored: Option<Stored>,
    /// No cursor is stored before, unless something waits for it.
    rest_until: Option<Instant>,
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

impl Sent {
    /// Whether the broker has answered for all its rows, or refused one.
    fn is_answered(&self) -> bool {
        self.in_flight.has_failed() || self.in_flight.tally().is_complete()
    }
}

/// Chunks whose transactions are being committed.
struct Committing {
    chunks: Vec<Sent>,
    task: JoinHandle<Result<(), Error>>,
}

/// Chunks whose transactions are committed, or not.
pub(super) struct Committed {
    pub(super) chunks: Vec<Sent>,
    pub(super) result: Result<(), Error>,
}

/// What is published while its cursor is not stored yet.
pub(super) struct Published {
    pub(super) lane: Lane,
    pub(super) cursor: Cursor,
    pub(super) last: Option<Position>,
    /// Of the rows that are retired with it.
    pub(super) ids: Vec<RowIds>,
    bytes: usize,
    /// When the cursor is to be stored.
    due: Instant,
}

/// A cursor on its way to the database.
struct Storing {
    published: Published,
    task: JoinHandle<Result<StoreTime, Error>>,
}

/// When a cursor was stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreTime {
    pub(super) asked_at: Instant,
    pub(super) took: Duration,
}

/// A cursor that is stored, or not.
pub(super) struct Stored {
    pub(super) published: Published,
    pub(super) time: Result<StoreTime, Error>,
}

impl UnderWay {
    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.are_stored()
    }

    /// Whether the cursors of all chunks that were acknowledged are stored.
    pub(super) fn are_stored(&self) -> bool {
        self.committing.is_none()
            && self.committed.is_none()
            && self.published.is_none()
            && self.storing.is_none()
            && self.stored.is_none()
    }

    /// Whether a chunk may be sent behind those that are, where a full one has `full` bytes:
    /// there is room for a second one unless the first has far larger rows than that, and for
    /// more as long as they are small. Nor may much be published whose cursor is not stored.
    pub(super) fn has_room(&self, full: usize) -> bool {
        let two = full.saturating_mul(2);
        if self.published.as_ref().is_some_and(|published| published.bytes > two) {
            return false;
        }
        let bytes: usize = self.chunks.iter().map(|chunk| chunk.facts.bytes).sum();
        match self.chunks.len() {
            0 => true,
            1 => bytes <= two,
            many => many < MANY && bytes < full,
        }
    }

    /// Whether the last chunk has rows that were not sent: what becomes of them has to be
    /// stored before another chunk is read.
    pub(super) fn lacks_rows(&self) -> bool {
        self.chunks.back().is_some_and(|chunk| chunk.in_flight.lacks_rows())
    }

    /// Whether a chunk has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.in_flight.has_failed())
    }

    /// Whether there is something to follow up.
    pub(super) fn has_moved(&self) -> bool {
        self.committed.is_some()
            || self.stored.is_some()
            || self.committing.as_ref().is_some_and(|committing| committing.task.is_finished())
            || self.storing.as_ref().is_some_and(|storing| storing.task.is_finished())
            || self.due().is_some_and(|due| due <= Instant::now())
            || self.chunks.front().is_some_and(Sent::is_answered) && !self.is_held_up()
    }

    /// Waits until there is something to follow up. May be given up and begun anew.
    pub(super) async fn moved(&mut self) {
        if self.committed.is_some() || self.stored.is_some() {
            return;
        }
        let (due, held_up) = (self.due(), self.is_held_up());
        tokio::select! {
            result = ended(self.committing.as_mut().map(|committing| &mut committing.task)) => {
                let result = result.unwrap_or(Err(Error::Ended("committing transactions")));
                self.committed = self.committing.take().map(|Committing { chunks, .. }| Committed { chunks, result });
            }
            time = ended(self.storing.as_mut().map(|storing| &mut storing.task)) => {
                let time = time.unwrap_or(Err(Error::Ended("storing the cursor")));
                self.stored = self.storing.take().map(|Storing { published, .. }| Stored { published, time });
            }
            () = answered(self.chunks.front()), if !held_up => {}
            () = reached(due) => {}
        }
    }

    /// Whether the first chunk that is sent is answered, and has to wait for what is before it.
    fn is_held_up(&self) -> bool {
        let Some(first) = self.chunks.front().filter(|first| first.is_answered()) else {
            return false;
        };
        let before = self.committing.is_some() || self.committed.is_some();
        let storing = self.storing.is_some() || self.stored.is_some();
        before || storing && (self.has_failed() || !self.may_join(first))
    }

    /// Whether the cursor of this chunk may be stored in place of those before it.
    fn may_join(&self, chunk: &Sent) -> bool {
        let same_lane = |published: &Published| published.lane.is_same(&chunk.lane);
        !chunk.in_flight.lacks_rows() && self.published.as_ref().is_none_or(same_lane)
    }

    /// When the next cursor is to be stored, if none is being stored.
    fn due(&self) -> Option<Instant> {
        self.published.as_ref().filter(|_| self.storing.is_none()).map(|published| published.due)
    }

    /// Takes the chunks whose transactions are committed, if there are any.
    pub(super) fn take_committed(&mut self) -> Option<Committed> {
        self.committed.take()
    }

    /// Takes the cursor that is stored, if one is. The next one then waits for a while.
    pub(super) fn take_stored(&mut self) -> Option<Stored> {
        let stored = self.stored.take()?;
        if let Ok(StoreTime { asked_at, took }) = stored.time {
            self.rest_until = Some(asked_at + rest_after_store(took));
        }
        Some(stored)
    }

    /// Takes the first chunk if it is acknowledged and may be stored with what is published,
    /// with those behind it of which the same is true. One that lacks rows is taken alone, when
    /// all before it are stored.
    pub(super) fn take_acknowledged(&mut self) -> Vec<Sent> {
        let (mut taken, mut chunks) = (Vec::<Sent>::new(), std::mem::take(&mut self.chunks));
        while let Some(chunk) = chunks.pop_front_if(|chunk| {
            let next = chunk.in_flight.tally().is_complete() && self.committing.is_none();
            next && match taken.first() {
                None if chunk.in_flight.lacks_rows() => self.are_stored(),
                None => self.may_join(chunk),
                Some(first) => {
                    !chunk.in_flight.lacks_rows()
                        && !first.in_flight.lacks_rows()
                        && first.lane.is_same(&chunk.lane)
                }
            }
        }) {
            taken.push(chunk);
        }
        self.chunks = chunks;
        taken
    }

    /// Notes that the transactions of these chunks are being committed.
    pub(super) fn commits(&mut self, chunks: Vec<Sent>, task: JoinHandle<Result<(), Error>>) {
        self.committing = Some(Committing { chunks, task });
    }

    /// Notes that these chunks are published, which are of one lane, that of those before them.
    /// Their cursor is stored after a rest, or at once if there are `enough` bytes by then.
    pub(super) fn publishes(&mut self, chunks: Vec<Sent>, enough: usize) {
        let due = self.rest_until.unwrap_or_else(Instant::now);
        for Sent { lane, cursor, facts, ids, .. } in chunks {
            let mut published = Published {
                lane,
                cursor,
                last: facts.last,
                ids: vec![ids],
                bytes: facts.bytes,
                due,
            };
            if let Some(mut before) = self.published.take() {
                before.ids.append(&mut published.ids);
                published.ids = before.ids;
                published.last = published.last.max(before.last);
                published.bytes += before.bytes;
                published.due = published.due.min(before.due);
            }
            self.published = Some(published);
        }
        if self.published.as_ref().is_some_and(|published| published.bytes >= enough) {
            self.hurry();
        }
    }

    /// The next cursor is to be stored at once, as something waits for it.
    pub(super) fn hurry(&mut self) {
        if let Some(published) = &mut self.published {
            published.due = Instant::now();
        }
    }

    /// Takes what is published if its cursor is to be stored now.
    pub(super) fn take_due(&mut self) -> Option<Published> {
        let waits = self.chunks.front().is_some_and(|first| {
            first.is_answered() && (self.has_failed() || !self.may_join(first))
        });
        let due = self.due().is_some_and(|due| waits || due <= Instant::now());
        self.published.take_if(|_| due)
    }

    /// Notes that a cursor is on its way.
    pub(super) fn stores(
        &mut self,
        published: Published,
        task: JoinHandle<Result<StoreTime, Error>>,
    ) {
        self.storing = Some(Storing { published, task });
    }

    /// Of all rows that are still to be retired.
    pub(super) fn positions(&self) -> Vec<Position> {
        let storing = self.storing.iter().map(|storing| &storing.published);
        let stored = self.stored.iter().map(|stored| &stored.published);
        let published = storing.chain(stored).chain(&self.published).flat_map(|it| &it.ids);
        let committing = self.committing.iter().flat_map(|committing| &committing.chunks);
        let committed = self.committed.iter().flat_map(|committed| &committed.chunks);
        let chunks = committing.chain(committed).chain(&self.chunks).map(|chunk| &chunk.ids);
        published.chain(chunks).flat_map(|ids| ids.iter()).map(|row| row.position).collect()
    }
}

/// The result of a task, which is still to be taken away then.
async fn ended<T>(task: Option<&mut JoinHandle<Result<T, Error>>>) -> Option<Result<T, Error>> {
    match task {
        Some(task) => task.await.ok(),
        None => pending().await,
    }
}

/// The broker has answered for a chunk.
async fn answered(chunk: Option<&Sent>) {
    match chunk {
        Some(chunk) if chunk.in_flight.has_failed() => {}
        Some(chunk) => chunk.in_flight.tally().complete_or_failed().await,
        None => pending().await,
    }
}

async fn reached(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}
