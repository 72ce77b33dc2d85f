//! Exponential backoff with jitter.

use std::time::Duration;

/// How long to wait before the next attempt: doubles from `initial` up to
/// `maximum`, spread so that many waiters do not return at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub initial: Duration,
    /// No wait is longer than this.
    pub maximum: Duration,
}

impl Backoff {
    /// The wait after the given number of consecutive failures (1 is the first).
    ///
    /// `jitter` is a random number the caller draws; any `u64` is fine. The
    /// result lies between half of the exponential step and the whole of it.
    pub fn delay(&self, failures: u32, jitter: u64) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let step = self.initial.saturating_mul(1 << doublings).min(self.maximum);
        let half = step / 2;
        let spread = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        half + Duration::from_nanos(jitter % spread.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn delay_stays_between_half_the_step_and_the_maximum(failures in 0u32..100, jitter: u64) {
            let backoff = Backoff { initial: Duration::from_millis(50), maximum: Duration::from_secs(10) };
            let delay = backoff.delay(failures, jitter);
            prop_assert!(delay <= backoff.maximum);
            prop_assert!(delay >= backoff.initial / 2);
        }
    }

    #[test]
    fn delay_doubles_until_the_maximum() {
        let backoff =
            Backoff { initial: Duration::from_millis(100), maximum: Duration::from_millis(350) };
        let halves: Vec<_> =
            (1..=4).map(|failures| backoff.delay(failures, 0).as_millis()).collect();
        assert_eq!(halves, [50, 100, 175, 175]);
    }
}
