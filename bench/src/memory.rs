//! The memory of a process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::proc;

/// How often it is looked at.
const SAMPLE: Duration = Duration::from_millis(100);

/// How much memory was resident.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// Bytes.
    pub resident: u64,
}

/// Adds a sample every tenth of a second until the process ends.
pub async fn sample(process: u32, into: Arc<Mutex<Vec<Sample>>>) {
    let started = Instant::now();
    while let Some(resident) = resident(process) {
        let at = started.elapsed().as_secs_f64();
        into.lock().unwrap_or_else(PoisonError::into_inner).push(Sample { at, resident });
        tokio::time::sleep(SAMPLE).await;
    }
}

/// Bytes of a process that are resident; none if there is no such process.
pub fn resident(process: u32) -> Option<u64> {
    let value = proc::field(&format!("/proc/{process}/status"), "VmRSS")?;
    Some(value.trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}
