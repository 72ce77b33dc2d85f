//! What the sidecar is doing, for `GET /status`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use outbox_sidecar_core::window::Cursor;
use serde::Serialize;

/// The state of every component; clones share it.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Report>>);

/// What `GET /status` answers.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What the whole sidecar waits for before anything can start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// By name.
    pub outboxes: BTreeMap<String, OutboxReport>,
    /// By name.
    pub inboxes: BTreeMap<String, InboxReport>,
}

/// One outbox.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxReport {
    /// What keeps it from publishing, if anything does.
    pub waiting_for: Option<String>,
    /// Buckets this relay publishes.
    pub leased_buckets: usize,
    /// Rows published since this process started.
    pub published: u64,
    /// When the table was last read to its end.
    pub last_pass_at: Option<Timestamp>,
    /// Rows waiting, as last counted.
    pub pending_rows: i64,
    /// The age of the oldest of them, in seconds.
    pub oldest_pending_age_seconds: f64,
    /// How far the buckets are.
    pub cursors: Vec<CursorReport>,
}

/// Buckets at the same cursor.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CursorReport {
    /// Which ones.
    pub buckets: Vec<i32>,
    /// The snapshot up to which everything is published.
    pub published: String,
    /// The last position published of a window under way.
    pub window_after: Option<i64>,
}

/// One inbox.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxReport {
    /// What keeps it from consuming or delivering, if anything does.
    pub waiting_for: Option<String>,
    /// Partitions this sidecar owns.
    pub owned_partitions: usize,
    /// Messages in memory.
    pub queued: usize,
    /// Those the application is being given.
    pub in_flight: usize,
    /// Keys waiting to be tried again.
    pub parked_keys: usize,
}

impl Status {
    /// A copy of the present state.
    pub fn report(&self) -> Report {
        self.lock().clone()
    }

    /// What the whole sidecar waits for.
    pub fn waiting(&self, what: Option<String>) {
        self.lock().waiting_for = what;
    }

    /// One outbox's part.
    pub fn outbox(&self, name: &str) -> OutboxStatus {
        self.lock().outboxes.entry(name.to_owned()).or_default();
        OutboxStatus { status: self.clone(), name: name.to_owned() }
    }

    /// One inbox's part.
    pub fn inbox(&self, name: &str) -> InboxStatus {
        self.lock().inboxes.entry(name.to_owned()).or_default();
        InboxStatus { status: self.clone(), name: name.to_owned() }
    }

    /// A report is plain data: one left by a panicking thread is still good.
    fn lock(&self) -> MutexGuard<'_, Report> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One outbox's part of the status.
#[derive(Clone)]
pub struct OutboxStatus {
    status: Status,
    name: String,
}

impl OutboxStatus {
    fn update(&self, change: impl FnOnce(&mut OutboxReport)) {
        change(self.status.lock().outboxes.entry(self.name.clone()).or_default());
    }

    pub(crate) fn waiting(&self, what: &str) {
        self.update(|report| report.waiting_for = Some(what.to_owned()));
    }

    pub(crate) fn holding(&self, buckets: usize) {
        self.update(|report| {
            report.leased_buckets = buckets;
            report.waiting_for = (buckets == 0)
                .then(|| "bucket leases: another relay of this outbox holds them".to_owned());
        });
    }

    /// The buckets were given back; the reason is told by who ended the part.
    pub(crate) fn released(&self) {
        self.update(|report| report.leased_buckets = 0);
    }

    pub(crate) fn passed(&self) {
        self.update(|report| report.last_pass_at = Some(Timestamp::now()));
    }

    pub(crate) fn published(&self, rows: usize) {
        self.update(|report| {
            report.published += rows as u64;
            report.waiting_for = None;
        });
    }

    pub(crate) fn pending(&self, rows: i64, age: f64, cursors: &[(Vec<i32>, Cursor)]) {
        let cursors = cursors.iter().map(|(buckets, cursor)| CursorReport {
            buckets: buckets.clone(),
            published: cursor.published().to_string(),
            window_after: cursor.open().map(|open| open.after),
        });
        self.update(|report| {
            report.pending_rows = rows;
            report.oldest_pending_age_seconds = age;
            report.cursors = cursors.collect();
        });
    }
}

/// One inbox's part of the status.
#[derive(Clone)]
pub struct InboxStatus {
    status: Status,
    name: String,
}

impl InboxStatus {
    fn update<T>(&self, change: impl FnOnce(&mut InboxReport) -> T) -> T {
        change(self.status.lock().inboxes.entry(self.name.clone()).or_default())
    }

    /// Returns whether it was not waiting before.
    pub(crate) fn waiting(&self, what: &str) -> bool {
        self.update(|report| report.waiting_for.replace(what.to_owned()).is_none())
    }

    /// Returns whether it was waiting before.
    pub(crate) fn recovered(&self) -> bool {
        self.update(|report| report.waiting_for.take().is_some())
    }

    pub(crate) fn owned(&self, partitions: usize) {
        self.update(|report| report.owned_partitions = partitions);
    }

    pub(crate) fn queue(&self, queued: usize, in_flight: usize, parked_keys: usize) {
        self.update(|report| {
            report.queued = queued;
            report.in_flight = in_flight;
            report.parked_keys = parked_keys;
        });
    }
}
