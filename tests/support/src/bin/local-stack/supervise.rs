//! Starts again what dies.

use std::time::{Duration, Instant};

use test_support::shop::Part;

use crate::log;
use crate::pid_files::PidFiles;

/// Deaths in a row before giving up, each within [`STEADY`] of its start.
const QUICK_DEATHS: u32 = 5;

/// A part that ran this long was fine.
const STEADY: Duration = Duration::from_secs(30);

/// Enough to see the reason; the rest has scrolled by already.
const SHOWN_LINES: usize = 8;

const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Watches a part and starts it again with growing pauses. Returns, with the reason, only when it
/// keeps dying. Safe to cancel between two lives of the part; a start under way is killed.
pub(crate) async fn keep_running(part: &Part, pids: &PidFiles) -> String {
    let mut deaths = 0;
    let mut started = Instant::now();
    loop {
        let status = part.process().wait().await;
        deaths = if started.elapsed() > STEADY { 1 } else { deaths + 1 };
        pids.remove(part.name());
        log::error(&format!(
            "{} ended ({status}); its last lines:\n{}",
            part.name(),
            part.process().tail(SHOWN_LINES)
        ));
        if deaths >= QUICK_DEATHS {
            return format!("{} died {deaths} times in a row", part.name());
        }
        let pause = FIRST_PAUSE * 2_u32.pow(deaths - 1);
        log::info(&format!("starting {} again in {:.1} s", part.name(), pause.as_secs_f32()));
        tokio::time::sleep(pause).await;
        started = Instant::now();
        match part.start().await {
            Ok(()) => {
                pids.write(part.name(), part.process().id());
                let took = started.elapsed().as_secs_f32();
                log::info(&format!("{} is back after {took:.1} s", part.name()));
            }
            Err(err) => {
                // Not ready in time: away with it, and the loop sees its end.
                log::error(&err.to_string());
                part.kill().await;
            }
        }
    }
}
