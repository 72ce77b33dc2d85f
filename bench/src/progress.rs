//! How fast something that counts comes to its end.

use std::time::{Duration, Instant};

use anyhow::bail;

/// How long the count may stand still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a count has come to `total`; returns how many a second, from the first that were
/// seen to the last.
///
/// # Errors
/// The count cannot be told, or stands still for a minute.
pub async fn rate(
    total: u64,
    mut count: impl AsyncFnMut() -> anyhow::Result<u64>,
) -> anyhow::Result<f64> {
    let (mut first, mut last, mut moved) = (None, 0, Instant::now());
    loop {
        let (done, now) = (count().await?, Instant::now());
        if done > last {
            (last, moved) = (done, now);
        } else if now - moved > PATIENCE {
            bail!("no progress after {done} of {total}");
        }
        if done > 0 && first.is_none() {
            first = Some((done, now));
        }
        if let Some((before, from)) = first.filter(|_| done >= total) {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
            return Ok((done - before) as f64 / (now - from).as_secs_f64());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
