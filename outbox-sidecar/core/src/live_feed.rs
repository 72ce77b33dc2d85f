//! The queue of an inbox without a table: bounded in messages, bytes and age.
//!
//! Each partition is a *lane*: its messages go in order, one request at a time. What
//! the application does not take is tried again, until it is too old or room is needed;
//! then the oldest message is dropped, and the next of its lane tells of the [`Gap`].
//!
//! When a request fails as a whole, any of its messages may be why. The lane then goes
//! in batches half as large, so that the culprit is alone before long.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use crate::{
    backoff::Backoff,
    delivery::{BatchLimit, Outcome, Partition},
};

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages, queued and in flight.
    pub messages: usize,
    /// Their bytes; a single larger message is still kept.
    pub bytes: usize,
    /// The age at which a message that was not taken is dropped.
    pub age: Duration,
}

/// Why an application may have missed messages of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The sidecar has begun to read; it knows of nothing before.
    Start,
    /// Messages were dropped.
    Dropped,
}

impl Gap {
    /// As the application is told.
    pub fn label(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Dropped => "dropped",
        }
    }
}

/// A message of the feed.
#[derive(Debug)]
pub struct Entry<T> {
    /// What to deliver.
    pub message: T,
    /// How much memory it counts for.
    bytes: usize,
    received: Instant,
}

/// Messages of one partition to deliver together, in this order.
#[derive(Debug)]
pub struct LiveBatch<T> {
    /// The messages, at least one.
    pub entries: VecDeque<Entry<T>>,
    /// What the first of them has to tell.
    pub gap: Option<Gap>,
    partition: Partition,
}

/// Messages that were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The application did not take them for too long.
    pub expired: usize,
    /// There was no room for them.
    pub overflow: usize,
}

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub struct Completed {
    /// Messages that the application has taken.
    pub taken: usize,
    /// Why it refused the others that are not tried again.
    pub rejected: Vec<String>,
    /// Messages that are tried again.
    pub retried: usize,
}

#[derive(Debug)]
struct Lane<T> {
    queue: VecDeque<Entry<T>>,
    in_flight: bool,
    /// Consecutive failures, for the backoff.
    failures: u32,
    parked_until: Option<Instant>,
    /// Messages per batch for now.
    batch: usize,
    gap: Option<Gap>,
}

/// The queue.
#[derive(Debug)]
pub struct LiveFeed<T> {
    bounds: Bounds,
    limit: BatchLimit,
    backoff: Backoff,
    lanes: BTreeMap<Partition, Lane<T>>,
    /// The partition that was served last; the next one's turn is first.
    served: Option<Partition>,
    messages: usize,
    bytes: usize,
    in_flight: usize,
    dropped: Dropped,
}

impl<T> LiveFeed<T> {
    /// An empty one.
    pub fn new(bounds: Bounds, limit: BatchLimit, backoff: Backoff) -> Self {
        Self {
            bounds,
            limit,
            backoff,
            lanes: BTreeMap::new(),
            served: None,
            messages: 0,
            bytes: 0,
            in_flight: 0,
            dropped: Dropped::default(),
        }
    }

    /// Messages in memory.
    pub fn len(&self) -> usize {
        self.messages
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages the application is being given.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Partitions that wait to be tried again.
    pub fn parked(&self) -> usize {
        self.lanes.values().filter(|lane| lane.parked_until.is_some()).count()
    }

    /// What was dropped since this was last asked.
    pub fn take_dropped(&mut self) -> Dropped {
        std::mem::take(&mut self.dropped)
    }

    /// Adds a message of `bytes` and makes room for it.
    pub fn push(&mut self, partition: Partition, message: T, bytes: usize, now: Instant) {
        let batch = self.limit.messages;
        let lane = self.lanes.entry(partition).or_insert_with(|| Lane {
            queue: VecDeque::new(),
            in_flight: false,
            failures: 0,
            parked_until: None,
            batch,
            gap: Some(Gap::Start),
        });
        lane.queue.push_back(Entry { message, bytes, received: now });
        self.messages += 1;
        self.bytes += bytes;
        while self.messages > 1
            && (self.messages > self.bounds.messages || self.bytes > self.bounds.bytes)
            && self.drop_oldest()
        {
            self.dropped.overflow += 1;
        }
    }

    /// Drops what has become too old.
    pub fn expire(&mut self, now: Instant) {
        for lane in self.lanes.values_mut() {
            while let Some(first) = lane.queue.front()
                && now.duration_since(first.received) >= self.bounds.age
            {
                self.messages -= 1;
                self.bytes -= first.bytes;
                self.dropped.expired += 1;
                lane.queue.pop_front();
                lane.gap = Some(Gap::Dropped);
            }
        }
    }

    /// The next messages to deliver, of a partition that has none in flight.
    pub fn next_batch(&mut self, now: Instant) -> Option<LiveBatch<T>> {
        let ready = |lane: &Lane<T>| {
            !lane.in_flight
                && !lane.queue.is_empty()
                && lane.parked_until.is_none_or(|until| until <= now)
        };
        let turn = |after: bool| {
            let served = self.served;
            self.lanes
                .iter()
                .filter(move |(partition, _)| (Some(**partition) > served) == after)
                .find(|(_, lane)| ready(lane))
                .map(|(partition, _)| *partition)
        };
        let partition = turn(true).or_else(|| turn(false))?;
        let lane = self.lanes.get_mut(&partition)?;
        let mut entries = VecDeque::new();
        let mut bytes = 0;
        while let Some(next) = lane.queue.front()
            && entries.len() < lane.batch
            && (entries.is_empty() || bytes + next.bytes <= self.limit.bytes)
        {
            bytes += next.bytes;
            entries.extend(lane.queue.pop_front());
        }
        lane.in_flight = true;
        lane.parked_until = None;
        self.in_flight += entries.len();
        self.served = Some(partition);
        Some(LiveBatch { entries, gap: lane.gap.take(), partition })
    }

    /// Takes a batch back: what was taken or rejected is done with, the rest is tried
    /// again after a wait. `outcome` is asked for every message; none is a failure.
    pub fn complete(
        &mut self,
        batch: LiveBatch<T>,
        outcome: impl Fn(&T) -> Option<Outcome>,
        now: Instant,
        jitter: u64,
    ) -> Completed {
        let sent = batch.entries.len();
        let mut completed = Completed { taken: 0, rejected: Vec::new(), retried: 0 };
        let (mut back, mut suspect, mut untold) = (VecDeque::new(), false, batch.gap);
        for (place, entry) in batch.entries.into_iter().enumerate() {
            match outcome(&entry.message) {
                Some(Outcome::Done) => completed.taken += 1,
                Some(Outcome::Rejected(reason)) => completed.rejected.push(reason),
                failed => {
                    suspect |=
                        matches!(failed, Some(Outcome::Suspect | Outcome::BrokeOff { .. }) | None);
                    back.push_back(entry);
                    continue;
                }
            }
            if place == 0 {
                untold = None;
            }
            self.messages -= 1;
            self.bytes -= entry.bytes;
        }
        completed.retried = back.len();
        self.in_flight -= sent;
        let Some(lane) = self.lanes.get_mut(&batch.partition) else { return completed };
        lane.in_flight = false;
        if back.is_empty() {
            (lane.failures, lane.parked_until, lane.batch) = (0, None, self.limit.messages);
        } else {
            lane.failures = lane.failures.saturating_add(1);
            lane.parked_until = Some(now + self.backoff.delay(lane.failures, jitter));
            if suspect {
                lane.batch = (sent / 2).max(1);
            }
        }
        lane.gap = lane.gap.or(untold);
        while let Some(entry) = back.pop_back() {
            lane.queue.push_front(entry);
        }
        completed
    }

    /// When something is to be done next, if nothing happens before: a message is too
    /// old, or, if another request may be made, a wait is over.
    pub fn next_wakeup(&self, may_send: bool) -> Option<Instant> {
        self.lanes
            .values()
            .filter_map(|lane| {
                let expiry = lane.queue.front()?.received + self.bounds.age;
                let parked = lane.parked_until.filter(|_| may_send);
                Some(parked.map_or(expiry, |until| until.min(expiry)))
            })
            .min()
    }

    /// Of what is not in flight.
    fn drop_oldest(&mut self) -> bool {
        let oldest = self
            .lanes
            .values_mut()
            .filter(|lane| !lane.queue.is_empty())
            .min_by_key(|lane| lane.queue.front().map(|first| first.received));
        let Some(lane) = oldest else { return false };
        let Some(entry) = lane.queue.pop_front() else { return false };
        lane.gap = Some(Gap::Dropped);
        self.messages -= 1;
        self.bytes -= entry.bytes;
        true
    }
}

#[cfg(test)]
#[path = "live_feed_tests.rs"]
mod tests;
