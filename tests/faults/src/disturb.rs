//! Does the faults of a schedule at their times, several at once where they overlap.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    inject::Injector,
    schedule::{Fault, Kind, Timed},
    world::World,
    writer::Tally,
};

/// Hears of progress, a line at a time.
pub type Say = Arc<dyn Fn(&str) + Send + Sync>;

/// What faults need.
#[derive(Clone)]
pub struct Disturbance {
    /// What they happen to.
    pub world: Arc<World>,
    /// How many keys there are.
    pub keys: usize,
    /// Where transactions are counted.
    pub tally: Arc<Tally>,
    /// Ends the schedule, and what is under way, early.
    pub stop: CancellationToken,
    /// Hears of each fault as it begins.
    pub say: Say,
}

impl Disturbance {
    /// Does the faults and returns when each is undone: how many of each kind were done.
    ///
    /// # Errors
    /// A fault could not be done or undone.
    pub async fn run(&self, faults: Vec<Timed>) -> anyhow::Result<BTreeMap<Kind, usize>> {
        let (started, begun) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let mut faults = faults.into_iter().peekable();
        let mut under_way = JoinSet::new();
        let mut done: BTreeMap<Kind, usize> = BTreeMap::new();
        loop {
            let next =
                faults.peek().filter(|_| !self.stop.is_cancelled()).map(|next| started + next.at);
            tokio::select! {
                () = sleep_until(next.unwrap_or(started)), if next.is_some() => {
                    if let Some(Timed { fault, .. }) = faults.next() {
                        under_way.spawn(self.clone().inject(fault, started, Arc::clone(&begun)));
                    }
                }
                Some(fault) = under_way.join_next() => {
                    if let Some(kind) = fault.context("a fault failed")?? {
                        *done.entry(kind).or_default() += 1;
                    }
                }
                () = self.stop.cancelled(), if next.is_some() => {}
                else => return Ok(done),
            }
        }
    }

    /// The fault's kind, if it was done.
    async fn inject(
        self,
        fault: Fault,
        started: Instant,
        begun: Arc<AtomicUsize>,
    ) -> anyhow::Result<Option<Kind>> {
        let Self { world, keys, tally, stop, say } = &self;
        let injector = Injector { world, keys: *keys, tally, stop };
        let announce = || {
            let number = begun.fetch_add(1, Ordering::Relaxed) + 1;
            say(&format!("{:7.1} s  {number:4}  {fault}", started.elapsed().as_secs_f64()));
        };
        let done = injector
            .inject(&fault, announce)
            .await
            .with_context(|| format!("cannot do or undo the fault: {fault}"))?;
        Ok(done.then_some(fault.kind))
    }
}
