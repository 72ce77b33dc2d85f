//! Waiting for a condition instead of sleeping.

use std::future::Future;
use std::time::{Duration, Instant};

/// Calls `check` until it gives `Ok`, with pauses from 5 to 100 ms; the last `Err` when `deadline`
/// has passed. A check that hangs is cut off at the deadline.
pub async fn until_ok<T, F, Fut>(deadline: Duration, mut check: F) -> Result<T, String>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(5);
    let mut last = "no answer".to_owned();
    loop {
        match tokio::time::timeout_at(end.into(), check()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(reason)) => last = reason,
            Err(_) => return Err(last),
        }
        if Instant::now() + pause > end {
            return Err(last);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// For tests: the value `check` finds within `deadline`; panics with `what` otherwise.
///
/// ```ignore
/// let order = wait::until("the order is finished", Duration::from_secs(10), || finished(&shop)).await;
/// ```
#[track_caller]
pub fn until<T, F, Fut>(what: &str, deadline: Duration, mut check: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    let what = what.to_owned();
    async move {
        let found = until_ok(deadline, move || {
            let attempt = check();
            async move { attempt.await.ok_or_else(String::new) }
        })
        .await;
        match found {
            Ok(value) => value,
            #[expect(clippy::panic, reason = "only for tests, where a panic is the failure")]
            Err(_) => panic!("waited {deadline:?} in vain until {what} (at {caller})"),
        }
    }
}
