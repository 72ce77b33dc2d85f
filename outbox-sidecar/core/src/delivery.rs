//! In which order inbox messages go to the application.
//!
//! Messages with the same key form a *lane*. A lane has at most one batch in
//! flight, so its messages are applied in order; different lanes go
//! concurrently. A failed message parks its lane only.
//!
//! When a request fails as a whole, any of its messages may be why (too large,
//! too slow, one that brings the application down). Its lanes then go in smaller
//! batches, at last each message alone, so that the culprit holds up only itself.
//! If the application did not answer at all, it may be that the message brings it
//! down: see [`trial`].

mod outcome;
pub mod trial;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Instant,
};

use uuid::Uuid;

use outcome::verdict;
pub use outcome::{Completion, Outcome, RetryPolicy, Settled, TrialEnd};
use trial::Evidence;

/// A Kafka partition, with an index standing for its topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The index of the topic in the inbox's configured list.
    pub topic: usize,
    /// The partition's number.
    pub partition: i32,
}

/// One message waiting to be delivered.
#[derive(Clone, Debug)]
pub struct Pending<T> {
    /// The message's identity; the same id is never queued twice at a time.
    pub id: Uuid,
    /// Where it came from.
    pub partition: Partition,
    /// The ordering key; a message without one is ordered with no other.
    pub key: Option<Vec<u8>>,
    /// How much memory it counts for.
    pub bytes: usize,
    /// Failures so far that count against the message.
    pub attempts: u32,
    /// Trials so far that count against the message, or were begun and never ended.
    pub crashes: u32,
    /// What to deliver.
    pub message: T,
}

/// Messages to deliver together, in this order.
#[derive(Debug)]
pub struct Batch<T> {
    /// The messages; those of one key stand in their order.
    pub messages: Vec<Pending<T>>,
    /// Whether its only message is on [`trial`].
    pub trial: bool,
    lanes: Vec<(LaneId, usize)>,
}

/// How much one batch may hold.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// Messages, at least 1.
    pub messages: usize,
    /// Bytes of the messages together; a single larger message still goes alone.
    pub bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LaneId {
    Key { topic: usize, key: Vec<u8> },
    Keyless(Uuid),
}

#[derive(Debug)]
struct Lane<T> {
    queue: VecDeque<Pending<T>>,
    /// Consecutive failures, for the backoff.
    failures: u32,
    /// Requests in a row that failed as a whole with messages of this lane.
    suspicion: u32,
    /// How often the application had answered when this lane came under suspicion,
    /// or at the end of its last trial.
    answers: u64,
}

/// What becomes of the suspicion against a lane.
#[derive(Clone, Copy, Debug)]
enum Suspicion {
    Grows,
    Stays,
    Ends,
}

/// Each suspicion quarters the batch; after this many it is one message.
const MOST_SUSPECT: u32 = 5;

/// The queue of one inbox.
#[derive(Debug)]
pub struct Scheduler<T> {
    policy: RetryPolicy,
    lanes: HashMap<LaneId, Lane<T>>,
    /// Lanes that may be taken, oldest first; may name lanes that are gone.
    ready: VecDeque<LaneId>,
    parked: BTreeMap<(Instant, u64), LaneId>,
    parkings: u64,
    /// Every message queued or in flight.
    ids: HashMap<Uuid, Partition>,
    /// Messages in flight whose partition was revoked meanwhile.
    revoked: HashSet<Uuid>,
    bytes: usize,
    in_flight: usize,
    trial: bool,
    /// Requests that the application has answered.
    answers: u64,
    /// How many of them when it last broke off.
    answers_when_broken_off: u64,
}

impl<T> Scheduler<T> {
    /// An empty queue.
    pub fn new(policy: RetryPolicy) -> Self {
        Self {
            policy,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            parked: BTreeMap::new(),
            parkings: 0,
            ids: HashMap::new(),
            revoked: HashSet::new(),
            bytes: 0,
            in_flight: 0,
            trial: false,
            answers: 0,
            answers_when_broken_off: 0,
        }
    }

    /// Queues a message behind those of its key. Returns `false` and queues
    /// nothing if a message with this id is queued or in flight already.
    pub fn push(&mut self, pending: Pending<T>) -> bool {
        if self.ids.contains_key(&pending.id) {
            // In flight since before a rebalance that has now brought it back.
            self.revoked.remove(&pending.id);
            return false;
        }
        self.ids.insert(pending.id, pending.partition);
        self.bytes += pending.bytes;
        let id = LaneId::of(&pending);
        let lane = self.lanes.entry(id.clone()).or_insert_with(|| {
            self.ready.push_back(id);
            // Suspected before, by a process that has ended since.
            let suspicion = if pending.crashes > 0 { MOST_SUSPECT } else { 0 };
            Lane { queue: VecDeque::new(), failures: 0, suspicion, answers: self.answers }
        });
        lane.queue.push_back(pending);
        true
    }

    /// The next messages to deliver, oldest lanes first, or `None` if every
    /// lane is empty, in flight or parked, or a trial is under way or waits for the
    /// others in flight.
    pub fn next_batch(&mut self, now: Instant, limit: BatchLimit) -> Option<Batch<T>> {
        self.unpark(now);
        if self.trial {
            return None;
        }
        let mut batch = Batch { messages: Vec::new(), trial: false, lanes: Vec::new() };
        let mut bytes = 0;
        let mut suspicion = None;
        while let Some(id) = self.ready.pop_front() {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            if lane.queue.is_empty() {
                self.lanes.remove(&id);
                continue;
            }
            if *suspicion.get_or_insert(lane.suspicion) != lane.suspicion {
                // Those above suspicion do not go with the others.
                self.ready.push_front(id);
                break;
            }
            let most = limit.messages >> (2 * lane.suspicion).min(usize::BITS - 1);
            if self.policy.maximum_crashes.is_some() && lane.suspicion > 0 && most <= 1 {
                if self.in_flight > 0 || !batch.messages.is_empty() {
                    self.ready.push_front(id);
                    break;
                }
                self.trial = true;
                batch.trial = true;
                batch.messages.extend(lane.queue.pop_front());
                batch.lanes.push((id, 1));
                break;
            }
            let before = batch.messages.len();
            while let Some(next) = lane.queue.front() {
                let fits = batch.messages.len() < most && bytes + next.bytes <= limit.bytes;
                if !fits && !batch.messages.is_empty() {
                    break;
                }
                bytes += next.bytes;
                batch.messages.extend(lane.queue.pop_front());
            }
            let taken = batch.messages.len() - before;
            if taken == 0 {
                self.ready.push_front(id);
                break;
            }
            batch.lanes.push((id, taken));
        }
        self.in_flight += batch.messages.len();
        (!batch.messages.is_empty()).then_some(batch)
    }

    /// Takes back a batch with what became of its messages.
    ///
    /// A message without an outcome counts as [`Outcome::Outage`]. A message
    /// that failed goes back to the head of its lane, and the lane waits out its
    /// backoff. Only the first failure of a lane counts: the application leaves
    /// what stands behind it untried. `jitter` is a random number for
    /// [`Backoff::delay`].
    pub fn complete(
        &mut self,
        batch: Batch<T>,
        outcomes: &HashMap<Uuid, Outcome>,
        now: Instant,
        jitter: u64,
    ) -> Completion<T> {
        self.in_flight -= batch.messages.len();
        let mut completion = Completion { settled: Vec::new(), failed: Vec::new(), trial: None };
        completion.trial = self.end_trial(&batch, outcomes);
        let trial = completion.trial.map(|(_, end)| end);
        if outcomes.values().any(Outcome::is_answer) {
            self.answers += 1;
        }
        if outcomes.values().any(|outcome| matches!(outcome, Outcome::BrokeOff { .. })) {
            self.answers_when_broken_off = self.answers;
        }
        let mut messages = batch.messages.into_iter();
        for (id, taken) in batch.lanes {
            let mut unsettled = Vec::new();
            let mut behind_a_failure = false;
            let mut suspect = false;
            let mut unreachable = false;
            for mut pending in messages.by_ref().take(taken) {
                let outcome = match outcomes.get(&pending.id) {
                    Some(Outcome::Retry(_)) if behind_a_failure => &Outcome::Outage,
                    Some(outcome) => outcome,
                    None => &Outcome::Outage,
                };
                let verdict = verdict(&mut pending, outcome, &self.policy, trial);
                behind_a_failure |= !matches!(outcome, Outcome::Done | Outcome::Rejected(_));
                suspect |= matches!(outcome, Outcome::Suspect | Outcome::BrokeOff { .. });
                unreachable |= outcomes.get(&pending.id) == Some(&Outcome::Outage);
                let revoked = self.revoked.remove(&pending.id);
                if verdict.is_some() || revoked {
                    self.ids.remove(&pending.id);
                    self.bytes -= pending.bytes;
                }
                match (verdict, outcome) {
                    (Some(verdict), _) => {
                        completion.settled.push((pending, verdict));
                        continue;
                    }
                    (None, Outcome::Retry(reason)) => {
                        completion.failed.push((pending.id, reason.clone()));
                    }
                    (None, _) => {}
                }
                if !revoked {
                    unsettled.push(pending);
                }
            }
            let suspicion = match (suspect && !unsettled.is_empty(), unreachable) {
                (true, _) => Suspicion::Grows,
                // Nobody was there who could have been brought down, or cleared it.
                (false, true) => Suspicion::Stays,
                (false, false) => Suspicion::Ends,
            };
            self.reopen(id, unsettled, suspicion, now, jitter);
        }
        completion
    }

    fn end_trial(
        &mut self,
        batch: &Batch<T>,
        outcomes: &HashMap<Uuid, Outcome>,
    ) -> Option<(Uuid, TrialEnd)> {
        let [pending] = batch.messages.as_slice() else { return None };
        if !batch.trial {
            return None;
        }
        self.trial = false;
        let lane = self.lanes.get_mut(&LaneId::of(pending))?;
        let known = std::mem::replace(&mut lane.answers, self.answers);
        let answered = known.max(self.answers_when_broken_off) < self.answers;
        // Those behind it are of its key, and have to wait for it.
        let alone = self.ids.len() <= 1 + lane.queue.len();
        Some((pending.id, trial::end(outcomes.get(&pending.id), Evidence { answered, alone })))
    }

    /// Drops the queued messages of a partition that belongs to another
    /// consumer now. Those in flight are dropped when their batch comes back
    /// without having been applied.
    pub fn revoke(&mut self, partition: Partition) {
        for lane in self.lanes.values_mut() {
            lane.queue.retain(|pending| {
                let keep = pending.partition != partition;
                if !keep {
                    self.ids.remove(&pending.id);
                    self.bytes -= pending.bytes;
                }
                keep
            });
        }
        self.revoked.extend(self.ids.iter().filter(|(_, of)| **of == partition).map(|(id, _)| *id));
    }

    /// When the next parked lane may go on.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.parked.first_key_value().map(|((until, _), _)| *until)
    }

    /// Messages queued or in flight.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether nothing is queued or in flight.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Messages in flight.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Bytes of the messages queued or in flight.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keys waiting out a backoff.
    pub fn parked_keys(&self) -> usize {
        self.parked.len()
    }

    fn unpark(&mut self, now: Instant) {
        while let Some(entry) = self.parked.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.ready.push_back(entry.remove());
        }
    }

    /// Gives a lane back after a batch, with what has to be tried again.
    fn reopen(
        &mut self,
        id: LaneId,
        unsettled: Vec<Pending<T>>,
        suspicion: Suspicion,
        now: Instant,
        jitter: u64,
    ) {
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        match suspicion {
            Suspicion::Grows => {
                if lane.suspicion == 0 {
                    lane.answers = self.answers;
                }
                lane.suspicion = lane.suspicion.saturating_add(1).min(MOST_SUSPECT);
            }
            Suspicion::Stays => {}
            Suspicion::Ends => lane.suspicion = 0,
        }
        let failed = !unsettled.is_empty();
        for pending in unsettled.into_iter().rev() {
            lane.queue.push_front(pending);
        }
        if failed {
            lane.failures = lane.failures.saturating_add(1);
            let until = now + self.policy.backoff.delay(lane.failures, jitter);
            self.parkings += 1;
            self.parked.insert((until, self.parkings), id);
        } else if lane.queue.is_empty() {
            self.lanes.remove(&id);
        } else {
            lane.failures = 0;
            self.ready.push_back(id);
        }
    }
}

impl LaneId {
    fn of<T>(pending: &Pending<T>) -> Self {
        match &pending.key {
            Some(key) => Self::Key { topic: pending.partition.topic, key: key.clone() },
            None => Self::Keyless(pending.id),
        }
    }
}

#[cfg(test)]
mod tests;
