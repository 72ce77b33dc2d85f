//! From a seed to a list of timed faults, without I/O.
//!
//! Faults are dealt from a deck with one card of each kind, shuffled anew when it
//! is empty, so that a schedule of any length has about as many of each.

mod fault;

use std::time::Duration;

use fastrand::Rng;

pub use fault::{Crash, Fault, Kind, Link};

/// Faults that begin at the same moment would have no end.
const SHORTEST_GAP: Duration = Duration::from_millis(1);

/// What a schedule is made for.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Relays that run all along, at least 1.
    pub relays: usize,
    /// The relays' lease: pauses and stalls are longer.
    pub lease: Duration,
    /// The mean time from one fault to the next, which is drawn from half of it to one and a
    /// half.
    pub gap: Duration,
    /// When it ends.
    pub length: Length,
}

/// How long a schedule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many faults.
    Faults(usize),
    /// The faults that begin within this time.
    Time(Duration),
}

/// A fault and when it begins, from the start of the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed {
    /// When.
    pub at: Duration,
    /// What.
    pub fault: Fault,
}

/// The schedule of a seed: the same for the same seed and shape, in the order of time.
pub fn schedule(seed: u64, shape: &Shape) -> Vec<Timed> {
    let mut rng = Rng::with_seed(seed);
    let mut deck: Vec<Kind> = Vec::new();
    let mut faults = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += between(&mut rng, shape.gap / 2, shape.gap * 3 / 2).max(SHORTEST_GAP);
        let over = match shape.length {
            Length::Faults(count) => faults.len() >= count,
            Length::Time(time) => at > time,
        };
        if over {
            return faults;
        }
        if deck.is_empty() {
            deck.extend(Kind::ALL);
            rng.shuffle(&mut deck);
        }
        if let Some(kind) = deck.pop() {
            faults.push(Timed { at, fault: Fault::draw(kind, &mut rng, shape) });
        }
    }
}

/// A time drawn from a range, in whole milliseconds.
fn between(rng: &mut Rng, from: Duration, to: Duration) -> Duration {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (from, to) = (millis(from), millis(to));
    Duration::from_millis(rng.u64(from..=to.max(from)))
}

#[cfg(test)]
mod tests;
