//! Relays, their database and a topic, step by step.
//!
//! A step is what happens at once: a statement, a message reaching the broker, a
//! fault. Between any two steps of a relay anything may happen elsewhere, and a
//! relay may rest for as long as it likes; so time is no more than "a lease may
//! have expired by now".

use std::collections::{BTreeMap, BTreeSet};

use outbox_sidecar_core::{
    lease::{Lease, Plan, plan},
    share::{RelayId, share_out},
    snapshot::Snapshot,
    window::{Cursor, Position},
};
use uuid::Uuid;

/// What is varied.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) buckets: u16,
    pub(crate) relays: usize,
    /// The bucket of each transaction's row; a bucket has one key.
    pub(crate) rows: Vec<i32>,
    /// Rows per chunk.
    pub(crate) chunk: usize,
    /// How often a relay may start.
    pub(crate) runs: u8,
    pub(crate) crashes: u8,
    pub(crate) stops: u8,
    /// How often a lease may expire although its relay lives.
    pub(crate) lapses: u8,
    pub(crate) condition: Condition,
}

/// On what a cursor write depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    OwnerAndEpoch,
    Owner,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) transactions: Vec<Transaction>,
    next_xid: u64,
    pub(crate) cursors: Vec<CursorRow>,
    /// Live relays, and whether their time is over.
    members: BTreeMap<RelayId, bool>,
    pub(crate) relays: Vec<Relay>,
    /// Rows in the order in which they were first published.
    pub(crate) topic: Vec<usize>,
    crashes: u8,
    stops: u8,
    lapses: u8,
    pub(crate) seen: Seen,
}

/// What is remembered of the past, for the properties.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Seen {
    /// Relays that came, went, or seemed to.
    pub(crate) changes: u8,
    /// Two relays wrote in one epoch, or one in an epoch of the past.
    pub(crate) written_out_of_turn: bool,
    /// A cursor write took back what another had stored.
    pub(crate) cursor_went_back: bool,
    pub(crate) stale_write_refused: bool,
    pub(crate) handed_over: bool,
    pub(crate) taken_under_way: bool,
}

/// A transaction that writes one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transaction {
    Waiting,
    /// It has an id, and no lock on its key yet.
    Begun(u64),
    Inserted(u64, Position),
    Committed(u64, Position),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CursorRow {
    pub(crate) lease: Lease,
    pub(crate) cursor: Cursor,
    written: Option<(i64, RelayId)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Relay {
    /// How often it has started.
    runs: u8,
    /// None while it is down.
    pub(crate) run: Option<Run>,
}

/// What a relay has in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) id: RelayId,
    /// By bucket.
    pub(crate) held: BTreeMap<i32, (i64, Cursor)>,
    plan: Plan,
    under_way: Option<Chunk>,
}

/// Rows on their way to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Chunk {
    /// Buckets with the epochs in which they were read.
    lane: Vec<(i32, i64)>,
    rows: Vec<usize>,
    sent: usize,
    /// The cursor to store when all are acknowledged.
    next: Cursor,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begin(usize),
    Insert(usize),
    Commit(usize),
    Start(usize),
    /// Renews, and compares its leases with its share.
    Look(usize),
    Take(usize),
    HandBack(usize),
    /// Reads the next chunk of the lane that this bucket is in.
    Read(usize, i32),
    Send(usize),
    Store(usize),
    /// The time of a relay that is gone is over.
    Expire(RelayId),
    /// The same of one that lives.
    Lapse(usize),
    Crash(usize),
    Stop(usize),
}

impl World {
    pub(crate) fn new(protocol: &Protocol) -> Self {
        let cursor = |bucket| CursorRow {
            lease: Lease { bucket, owner: None, epoch: 0, expired: false },
            cursor: Cursor::start(),
            written: None,
        };
        Self {
            transactions: vec![Transaction::Waiting; protocol.rows.len()],
            next_xid: 3,
            cursors: (0..i32::from(protocol.buckets)).map(cursor).collect(),
            members: BTreeMap::new(),
            relays: vec![Relay { runs: 0, run: None }; protocol.relays],
            topic: Vec::new(),
            crashes: protocol.crashes,
            stops: protocol.stops,
            lapses: protocol.lapses,
            seen: Seen::default(),
        }
    }

    /// Steps that happen by themselves, sooner or later.
    pub(crate) fn steps(&self, protocol: &Protocol) -> Vec<Step> {
        let mut steps = Vec::new();
        for (t, transaction) in self.transactions.iter().enumerate() {
            match transaction {
                // Transactions of a key are alike: they begin in one order.
                Transaction::Waiting if !self.earlier_waits(protocol, t) => {
                    steps.push(Step::Begin(t))
                }
                Transaction::Begun(_) if !self.key_is_locked(protocol, t) => {
                    steps.push(Step::Insert(t))
                }
                Transaction::Inserted(..) => steps.push(Step::Commit(t)),
                _ => {}
            }
        }
        for (r, relay) in self.relays.iter().enumerate() {
            let Some(run) = &relay.run else {
                if relay.runs < protocol.runs {
                    steps.push(Step::Start(r));
                }
                continue;
            };
            if run.plan.take.is_empty() {
                steps.push(Step::Look(r));
            } else {
                steps.push(Step::Take(r));
            }
            match &run.under_way {
                Some(chunk) if chunk.sent < chunk.rows.len() => steps.push(Step::Send(r)),
                Some(_) => steps.push(Step::Store(r)),
                None => {
                    if !run.plan.hand_back.is_empty() {
                        steps.push(Step::HandBack(r));
                    }
                    let mut cursors = Vec::new();
                    for (bucket, (_, cursor)) in &run.held {
                        if !cursors.contains(&cursor) {
                            cursors.push(cursor);
                            steps.push(Step::Read(r, *bucket));
                        }
                    }
                }
            }
        }
        let gone =
            self.members.iter().filter(|(id, expired)| !**expired && self.run_of(**id).is_none());
        steps.extend(gone.map(|(id, _)| Step::Expire(*id)));
        steps
    }

    /// Faults that may happen, or not.
    pub(crate) fn faults(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for (r, relay) in self.relays.iter().enumerate() {
            let Some(run) = &relay.run else { continue };
            if self.crashes > 0 {
                steps.push(Step::Crash(r));
            }
            if self.stops > 0 && run.under_way.is_none() {
                steps.push(Step::Stop(r));
            }
            if self.lapses > 0 && self.members.get(&run.id) == Some(&false) {
                steps.push(Step::Lapse(r));
            }
        }
        steps
    }

    /// The world after a step; none if that changes nothing.
    pub(crate) fn after(&self, protocol: &Protocol, step: &Step) -> Option<Self> {
        let mut world = self.clone();
        match *step {
            Step::Begin(t) => {
                world.transactions[t] = Transaction::Begun(world.next_xid);
                world.next_xid += 1;
            }
            Step::Insert(t) => {
                if let Transaction::Begun(xid) = world.transactions[t] {
                    world.transactions[t] = Transaction::Inserted(xid, world.next_position());
                }
            }
            Step::Commit(t) => {
                if let Transaction::Inserted(xid, position) = world.transactions[t] {
                    world.transactions[t] = Transaction::Committed(xid, position);
                }
            }
            Step::Start(r) => world.start(r),
            Step::Crash(r) => {
                world.crashes -= 1;
                world.end(r);
            }
            Step::Stop(r) => {
                world.stops -= 1;
                world.release(r);
            }
            Step::Lapse(r) => {
                world.lapses -= 1;
                world.seen.changes += 1;
                let id = world.relays[r].run.as_ref()?.id;
                world.expire(id);
            }
            Step::Expire(id) => world.expire(id),
            Step::Look(r) => world.look(protocol, r)?,
            Step::Take(r) => world.take(r)?,
            Step::HandBack(r) => world.hand_back(r)?,
            Step::Read(r, bucket) => world.read(protocol, r, bucket)?,
            Step::Send(r) => world.send(r)?,
            Step::Store(r) => world.store(protocol, r)?,
        }
        (world != *self).then_some(world)
    }

    /// The bucket and key of a row is free of transactions that have written.
    fn key_is_locked(&self, protocol: &Protocol, t: usize) -> bool {
        let same = |other: usize| protocol.rows[other] == protocol.rows[t];
        let inserted = |one: &Transaction| matches!(one, Transaction::Inserted(..));
        self.transactions.iter().enumerate().any(|(other, one)| same(other) && inserted(one))
    }

    fn earlier_waits(&self, protocol: &Protocol, t: usize) -> bool {
        (0..t).any(|other| {
            protocol.rows[other] == protocol.rows[t]
                && self.transactions[other] == Transaction::Waiting
        })
    }

    fn next_position(&self) -> Position {
        let taken = self
            .transactions
            .iter()
            .filter(|one| matches!(one, Transaction::Inserted(..) | Transaction::Committed(..)));
        Position::try_from(taken.count()).unwrap() + 1
    }

    /// As `pg_current_snapshot()` would say.
    fn snapshot(&self) -> Snapshot {
        let committed = |one: &Transaction| match one {
            Transaction::Committed(xid, _) => Some(*xid),
            _ => None,
        };
        let xmax = self.transactions.iter().filter_map(committed).max().map_or(3, |xid| xid + 1);
        let mut running: Vec<u64> = self
            .transactions
            .iter()
            .filter_map(|one| match one {
                Transaction::Begun(xid) | Transaction::Inserted(xid, _) => Some(*xid),
                _ => None,
            })
            .filter(|xid| *xid < xmax)
            .collect();
        running.sort_unstable();
        let list: Vec<_> = running.iter().map(u64::to_string).collect();
        let xmin = running.first().copied().unwrap_or(xmax);
        format!("{xmin}:{xmax}:{}", list.join(",")).parse().unwrap()
    }

    fn run_of(&self, id: RelayId) -> Option<&Run> {
        self.relays.iter().filter_map(|relay| relay.run.as_ref()).find(|run| run.id == id)
    }

    fn start(&mut self, r: usize) {
        let relay = &mut self.relays[r];
        relay.runs += 1;
        self.seen.changes += 1;
        let id = Uuid::from_u128((r as u128 + 1) * 16 + u128::from(relay.runs));
        relay.run = Some(Run { id, held: BTreeMap::new(), plan: Plan::default(), under_way: None });
    }

    /// The run is over; its rows in the database stay.
    fn end(&mut self, r: usize) -> Option<RelayId> {
        self.seen.changes += 1;
        self.relays[r].run.take().map(|run| run.id)
    }

    /// `RELEASE`.
    fn release(&mut self, r: usize) {
        let Some(id) = self.end(r) else { return };
        self.members.remove(&id);
        for row in self.cursors.iter_mut().filter(|row| row.lease.owner == Some(id)) {
            (row.lease.owner, row.lease.expired) = (None, false);
        }
    }

    fn expire(&mut self, id: RelayId) {
        if let Some(expired) = self.members.get_mut(&id) {
            *expired = true;
        }
        for row in self.cursors.iter_mut().filter(|row| row.lease.owner == Some(id)) {
            row.lease.expired = true;
            let under_way = self.relays.iter().filter_map(|relay| relay.run.as_ref());
            self.seen.taken_under_way |=
                under_way.filter(|run| run.id == id).any(|run| run.under_way.is_some());
        }
    }

    /// `RENEW`.
    fn look(&mut self, protocol: &Protocol, r: usize) -> Option<()> {
        let run = self.relays[r].run.as_mut()?;
        self.members.retain(|_, expired| !*expired);
        self.members.insert(run.id, false);
        let members: BTreeSet<_> = self.members.keys().copied().collect();
        let mut held = BTreeMap::new();
        for row in self.cursors.iter_mut().filter(|row| row.lease.owner == Some(run.id)) {
            row.lease.expired = false;
            let cursor = match run.held.remove(&row.lease.bucket) {
                Some((epoch, known)) if epoch == row.lease.epoch => known,
                _ => row.cursor.clone(),
            };
            held.insert(row.lease.bucket, (row.lease.epoch, cursor));
        }
        run.held = held;
        let leases: Vec<_> = self.cursors.iter().map(|row| row.lease.clone()).collect();
        run.plan = plan(run.id, &share_out(protocol.buckets, &members), &leases);
        // What is only for waiting more eagerly.
        run.plan.awaited.clear();
        Some(())
    }

    /// `TAKE`.
    fn take(&mut self, r: usize) -> Option<()> {
        let run = self.relays[r].run.as_mut()?;
        for bucket in std::mem::take(&mut run.plan.take) {
            let row = self.cursors.iter_mut().find(|row| row.lease.bucket == bucket)?;
            if row.lease.may_take() {
                let epoch = row.lease.epoch + 1;
                row.lease = Lease { bucket, owner: Some(run.id), epoch, expired: false };
                run.held.insert(bucket, (epoch, row.cursor.clone()));
            }
        }
        Some(())
    }

    /// `HAND_BACK`.
    fn hand_back(&mut self, r: usize) -> Option<()> {
        let run = self.relays[r].run.as_mut()?;
        for bucket in std::mem::take(&mut run.plan.hand_back) {
            run.held.remove(&bucket);
            let row = self.cursors.iter_mut().find(|row| row.lease.bucket == bucket)?;
            if row.lease.owner == Some(run.id) {
                (row.lease.owner, row.lease.expired) = (None, false);
                self.seen.handed_over = true;
            }
        }
        Some(())
    }

    fn read(&mut self, protocol: &Protocol, r: usize, bucket: i32) -> Option<()> {
        let until = self.snapshot();
        let run = self.relays[r].run.as_mut()?;
        let cursor = run.held.get(&bucket)?.1.clone();
        let lane: Vec<(i32, i64)> = run
            .held
            .iter()
            .filter(|(_, held)| held.1 == cursor)
            .map(|(b, held)| (*b, held.0))
            .collect();
        let mut rows: Vec<(Position, usize)> = Vec::new();
        for (t, transaction) in self.transactions.iter().enumerate() {
            if let Transaction::Committed(xid, position) = *transaction
                && lane.iter().any(|(bucket, _)| *bucket == protocol.rows[t])
                && cursor.selects(&until, xid, position)
            {
                rows.push((position, t));
            }
        }
        rows.sort_unstable();
        rows.truncate(protocol.chunk);
        let last = rows.last().map(|(position, _)| *position);
        let next = cursor.advance(&until, last, rows.len() < protocol.chunk);
        if rows.is_empty() && cursor.open().is_none() {
            for (bucket, _) in &lane {
                run.held.get_mut(bucket)?.1 = next.clone();
            }
        } else {
            let rows = rows.into_iter().map(|(_, t)| t).collect();
            run.under_way = Some(Chunk { lane, rows, sent: 0, next });
        }
        Some(())
    }

    fn send(&mut self, r: usize) -> Option<()> {
        let chunk = self.relays[r].run.as_mut()?.under_way.as_mut()?;
        let row = *chunk.rows.get(chunk.sent)?;
        chunk.sent += 1;
        if !self.topic.contains(&row) {
            self.topic.push(row);
        }
        Some(())
    }

    /// `ADVANCE`, in all buckets or in none.
    fn store(&mut self, protocol: &Protocol, r: usize) -> Option<()> {
        let run = self.relays[r].run.as_mut()?;
        let (id, chunk) = (run.id, run.under_way.take()?);
        let mine = |row: &CursorRow, epoch: i64| match protocol.condition {
            Condition::OwnerAndEpoch => row.lease.may_write(id, epoch),
            Condition::Owner => row.lease.owner == Some(id),
        };
        let all = chunk.lane.iter().all(|(bucket, epoch)| {
            self.cursors.iter().any(|row| row.lease.bucket == *bucket && mine(row, *epoch))
        });
        if !all {
            self.seen.stale_write_refused = true;
            self.release(r);
            return Some(());
        }
        for (bucket, epoch) in chunk.lane {
            let before = self.cursors.iter().find(|row| row.lease.bucket == bucket)?.clone();
            let lost = (0..self.transactions.len()).any(|t| {
                protocol.rows[t] == bucket
                    && self.covers(&before.cursor, t)
                    && !self.covers(&chunk.next, t)
            });
            self.seen.cursor_went_back |= lost;
            self.seen.written_out_of_turn |=
                before.written.is_some_and(|(e, by)| e > epoch || (e == epoch && by != id));
            let row = self.cursors.iter_mut().find(|row| row.lease.bucket == bucket)?;
            row.cursor = chunk.next.clone();
            row.written = Some((epoch, id));
            // The relay remembers the cursor of what it still holds.
            if let Some(held) = self.relays[r].run.as_mut()?.held.get_mut(&bucket) {
                held.1 = chunk.next.clone();
            }
        }
        Some(())
    }

    /// Whether a committed row is published, according to a cursor.
    pub(crate) fn covers(&self, cursor: &Cursor, t: usize) -> bool {
        let Transaction::Committed(xid, position) = self.transactions[t] else { return false };
        let open = cursor.open();
        cursor.published().sees(xid)
            || open.is_some_and(|open| open.until.sees(xid) && position <= open.after)
    }
}
