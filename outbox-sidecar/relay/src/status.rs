//! What the sidecar is doing, for `GET /status`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use outbox_sidecar_core::{
    config::Config,
    horizon::Holder,
    share::RelayId,
    status::{CursorReport, InboxReport, LeaseReport, OutboxReport, Report},
    window::Cursor,
};

use crate::outbox::parked::Counts;

/// The state of every component; clones share it.
#[derive(Clone, Default)]
pub struct Status(Arc<Mutex<Report>>);

impl Status {
    /// A copy of the present state.
    pub fn report(&self) -> Report {
        self.lock().clone()
    }

    /// The sidecar runs with this configuration from now on.
    pub fn reconfigured(&self, config: &Config) {
        let mut report = self.lock();
        let before = std::mem::take(&mut report.outboxes);
        for outbox in &config.outboxes {
            // Counted since the process started, and so beyond a configuration.
            let published = before.get(&outbox.name).map_or(0, |before| before.published);
            let outbox_report = OutboxReport { published, ..OutboxReport::default() };
            report.outboxes.insert(outbox.name.clone(), outbox_report);
        }
        let before = std::mem::take(&mut report.inboxes);
        for inbox in &config.inboxes {
            let dropped = inbox.stored().is_none().then(|| {
                before.get(inbox.name()).and_then(|before| before.dropped).unwrap_or_default()
            });
            let inbox_report = InboxReport { dropped, ..InboxReport::default() };
            report.inboxes.insert(inbox.name().to_owned(), inbox_report);
        }
        report.config = config.fingerprint();
        report.reload_problem = None;
    }

    /// Why what the file holds now is not what the sidecar runs with.
    pub fn reload_problem(&self, problem: Option<String>) {
        self.lock().reload_problem = problem;
    }

    /// What the whole sidecar waits for.
    pub fn waiting(&self, what: Option<String>) {
        self.lock().waiting_for = what;
    }

    /// Who holds the database's transaction horizon.
    pub fn horizon(&self, holders: Vec<Holder>) {
        self.lock().horizon = holders;
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

    pub(crate) fn leased_buckets(&self) -> usize {
        self.status.lock().outboxes.get(&self.name).map_or(0, |report| report.leased_buckets)
    }

    pub(crate) fn holding(&self, relay: RelayId, leases: &[LeaseReport]) {
        let buckets = leases.iter().filter(|lease| lease.owner == Some(relay)).count();
        self.update(|report| {
            report.leased_buckets = buckets;
            report.relay = Some(relay);
            report.leases = leases.to_vec();
            report.waiting_for = (buckets == 0)
                .then(|| "bucket leases: other relays of this outbox hold them".to_owned());
        });
    }

    pub(crate) fn restored(&self, at: Timestamp) {
        self.update(|report| report.restored_at = Some(at));
    }

    /// The buckets were given back; the reason is told by who ended the part.
    pub(crate) fn released(&self) {
        self.update(|report| {
            (report.leased_buckets, report.relay) = (0, None);
            report.leases.clear();
        });
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

    pub(crate) fn parked(&self, counts: Counts) {
        self.update(|report| {
            report.parked_keys = counts.keys;
            report.parked_rows = counts.rows;
            report.dead_letters = counts.dead;
        });
    }

    pub(crate) fn pending(&self, rows: i64, age: Option<f64>, cursors: &[(Vec<i32>, Cursor)]) {
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

    pub(crate) fn dropped(&self, messages: usize) {
        self.update(|report| {
            *report.dropped.get_or_insert_default() += messages as u64;
        });
    }

    pub(crate) fn dead(&self, messages: i64) {
        self.update(|report| report.dead_letters = Some(messages));
    }

    pub(crate) fn queue(&self, queued: usize, in_flight: usize, parked_keys: usize) {
        self.update(|report| {
            report.queued = queued;
            report.in_flight = in_flight;
            report.parked_keys = parked_keys;
        });
    }
}
