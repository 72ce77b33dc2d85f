//! Chunks from the database to the broker.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    claim::RowId,
    lease::Lane,
    publisher::{InFlight, Taken},
    relay::{Pass, leave, older},
    row::OutboxRow,
    under_way::{Facts, Sent},
};
use crate::error::Error;

/// Before a producer whose buffer is full is asked again.
const ROOM: Duration = Duration::from_millis(5);

impl Pass<'_> {
    /// Sends what is there; returns how many rows that was. The last chunks may still be
    /// under way then.
    pub(super) async fn publish_all(&mut self, stop: &CancellationToken) -> Result<usize, Error> {
        let mut sent = 0;
        loop {
            if Instant::now() >= self.leases.due() {
                self.renew(stop).await?;
            }
            self.take_over_producers(stop).await?;
            let mut again = false;
            for lane in self.leases.lanes() {
                self.make_room(stop).await?;
                if stop.is_cancelled() {
                    return Ok(sent);
                }
                if !self.leases.valid() {
                    self.renew(stop).await?;
                    return Ok(sent);
                }
                if !self.leases.holds(&lane) {
                    // Lost, or gone back, while the one before it was under way.
                    again = true;
                    continue;
                }
                let (rows, more) = self.send_chunk(&lane, stop).await?;
                sent += rows;
                again |= more;
            }
            if self.retry.is_due() {
                sent += self.retry_parked(stop).await?;
                again |= self.retry.is_due();
            }
            again |= std::mem::take(&mut self.look_again);
            if !again {
                self.relay.status.passed();
                return Ok(sent);
            }
        }
    }

    /// Follows up what is under way, and waits until another chunk may go behind it.
    async fn make_room(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        loop {
            let one_by_one = self.cautious || self.under_way.lacks_rows();
            let room = if one_by_one {
                self.under_way.is_empty()
            } else {
                self.under_way.has_room(self.size.bytes())
            };
            if room && !self.under_way.has_moved() {
                return Ok(());
            }
            if one_by_one {
                self.under_way.hurry();
            }
            self.settle_some(stop).await?;
        }
    }

    /// Reads one chunk of a lane and sends it; returns its rows, and whether there may be
    /// more.
    async fn send_chunk(
        &mut self,
        lane: &Lane,
        stop: &CancellationToken,
    ) -> Result<(usize, bool), Error> {
        let Some(client) = self.connection(stop).await? else { return Ok((0, true)) };
        let started = Instant::now();
        let mut filling = self.size.begin();
        let mut chunk =
            self.source.read(&client, lane, filling.limit(), &self.under_way.positions()).await?;
        let mut in_flight = if self.under_way.chunks.is_empty() {
            InFlight::default()
        } else {
            InFlight::behind_others()
        };
        let (mut last, mut oldest, mut full) = (None, None, false);
        let (mut ids, mut read) = (Vec::new(), Vec::new());
        while let Some(row) = chunk.next().await? {
            let transactional = self.publisher.is_transactional();
            full = !transactional && self.publisher.send(&row, &mut in_flight).await? != Taken::Yes;
            if full {
                break;
            }
            last = Some(row.position());
            oldest = older(oldest, row.age_seconds());
            if self.source.retires() {
                ids.push(RowId::of(&row));
            }
            full = filling.add(row.bytes());
            if transactional {
                read.push(row);
            }
            if full {
                break;
            }
        }
        let until = chunk.until().unwrap_or_else(|| lane.cursor.published()).clone();
        drop(chunk);
        let much_is_left = self.size.ended(&filling);
        leave(client, full && much_is_left);
        self.read_took = started.elapsed();
        let rows = filling.rows();
        if full && rows == 0 {
            // The producer has enough of what is before.
            self.settle_some(stop).await?;
            return Ok((0, true));
        }
        if !read.is_empty() {
            let Some(sent) = self.send_together(lane, read, stop).await? else {
                return Ok((0, true));
            };
            in_flight = sent;
        }
        let exhausted = rows < filling.limit() && !full;
        // A window that ends on a chunk's edge leaves an empty last chunk.
        let cursor = self.source.advance(lane, &until, last, exhausted);
        if rows == 0 && (lane.cursor.open().is_none() || self.source.retires()) {
            if self.under_way.is_empty() {
                self.leases.advance_unstored(lane, &cursor);
            } else {
                self.leases.has_read(lane, &cursor);
            }
            return Ok((0, false));
        }
        if full {
            self.size.filled(rows);
        }
        self.leases.has_read(lane, &cursor);
        let facts = Facts { rows, bytes: filling.bytes(), full, last, oldest, started };
        let lane = lane.clone();
        self.under_way.chunks.push_back(Sent { lane, cursor, in_flight, facts, ids: ids.into() });
        Ok((rows, !exhausted))
    }

    /// Sends a chunk in one go, by bucket, when all before it are acknowledged; none if the lane
    /// is to be read anew then.
    ///
    /// The transactions of the last one may still be committed beside it, so the other producers
    /// send this one.
    ///
    /// Each bucket's rows fill batches that way. As they trickle from the database each would
    /// have a few rows only, since as many producers times partitions share them.
    async fn send_together(
        &mut self,
        lane: &Lane,
        mut rows: Vec<OutboxRow>,
        stop: &CancellationToken,
    ) -> Result<Option<InFlight>, Error> {
        while !self.under_way.chunks.is_empty() {
            self.settle_some(stop).await?;
        }
        if stop.is_cancelled() || !self.leases.valid() || !self.leases.holds(lane) {
            return Ok(None);
        }
        // Stable: the rows of a key stay in order.
        rows.sort_by_key(OutboxRow::bucket);
        self.turn = self.turn.other();
        let mut in_flight = InFlight::in_turn(self.turn);
        for row in rows {
            loop {
                match self.publisher.send(&row, &mut in_flight).await? {
                    Taken::Yes => break,
                    Taken::Full if !in_flight.has_failed() => {
                        self.keeping_leases(until_there_is_room(), stop).await?;
                    }
                    Taken::Full | Taken::Spent => {
                        in_flight.give_up_rest();
                        return Ok(Some(in_flight));
                    }
                }
            }
        }
        Ok(Some(in_flight))
    }
}

async fn until_there_is_room() -> Result<(), Error> {
    sleep(ROOM).await;
    Ok(())
}
