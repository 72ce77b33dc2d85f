//! How long to leave the database alone between two looks at it, and between two cursors
//! that are stored in it.
//!
//! A read costs about the same for one row as for a hundred, and so does all that follows it:
//! batches for the broker, the cursor, the consumers' inserts. On a machine that has nothing to
//! spare, reading as soon as a row is there makes many small rounds, which is what it has least
//! to spare for. How long a read takes, beside the least it ever took, tells the one from the
//! other: as with the congestion control of TCP Vegas.

use std::time::Duration;

/// What is slower than so many times the least waits for something.
const TOLERATED: u32 = 4;

/// So many times as long as a read waited is rested.
const FACTOR: u32 = 20;

/// The longest rest.
const LONGEST: Duration = Duration::from_millis(50);

/// The times of the reads so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// The least of them; it grows by and by, as a database may get slower for good.
    least: Option<Duration>,
    last: Duration,
}

impl Pace {
    /// How long to rest after a read that took so long: not at all on a quiet machine, at most
    /// 50 ms. A single slow read is none's fault.
    pub fn rest(&mut self, took: Duration) -> Duration {
        let least = self.least.map_or(took, |least| least + least / 1_000).min(took);
        self.least = Some(least);
        let last = std::mem::replace(&mut self.last, took);
        let waited = took.min(last).saturating_sub(least * TOLERATED);
        (waited * FACTOR).min(LONGEST)
    }
}

/// The least time from one stored cursor to the next.
const SHORTEST_STORE_REST: Duration = Duration::from_millis(50);

/// And the most.
const LONGEST_STORE_REST: Duration = Duration::from_secs(1);

/// How long after a cursor was asked to be stored, which took so long, the next one is; from
/// 50 ms to a second.
///
/// Each leaves dead versions of its rows. While any transaction is open that began before,
/// however unrelated, these cannot be cleared away, and the next has to pass by all of them: it
/// takes longer and longer. Until it takes 50 ms, storing takes a twentieth of the time at most.
pub fn rest_after_store(took: Duration) -> Duration {
    (took * FACTOR).clamp(SHORTEST_STORE_REST, LONGEST_STORE_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn there_is_no_rest_while_reads_take_what_they_usually_take() {
        let mut pace = Pace::default();
        for took in [900, 700, 2_700, 2_500, 1_400, 2_800] {
            assert_eq!(pace.rest(micros(took)), Duration::ZERO);
        }
    }

    #[test]
    fn one_slow_read_is_no_reason() {
        let mut pace = Pace::default();
        pace.rest(micros(700));
        assert_eq!(pace.rest(micros(9_000)), Duration::ZERO);
        assert_eq!(pace.rest(micros(800)), Duration::ZERO);
    }

    #[test]
    fn the_rest_grows_with_what_reads_wait_for_and_is_bounded() {
        let mut pace = Pace::default();
        pace.rest(micros(1_000));
        pace.rest(micros(5_000));
        let some = pace.rest(micros(5_000));
        assert!((micros(15_000)..=micros(20_000)).contains(&some), "{some:?}");
        pace.rest(micros(90_000));
        assert_eq!(pace.rest(micros(90_000)), LONGEST);
    }

    #[test]
    fn a_database_that_is_slower_for_good_is_gone_along_with() {
        let mut pace = Pace::default();
        pace.rest(micros(500));
        let rests: Vec<_> = (0..3_000).map(|_| pace.rest(micros(8_000))).collect();
        assert_eq!(rests.first(), Some(&Duration::ZERO), "the first one alone");
        assert_eq!(rests.get(1), Some(&LONGEST));
        assert_eq!(rests.last(), Some(&Duration::ZERO));
    }

    #[test]
    fn storing_takes_a_twentieth_of_the_time() {
        assert_eq!(rest_after_store(micros(100)), Duration::from_millis(50));
        assert_eq!(rest_after_store(micros(10_000)), Duration::from_millis(200));
        assert_eq!(rest_after_store(micros(400_000)), Duration::from_secs(1));
    }
}
