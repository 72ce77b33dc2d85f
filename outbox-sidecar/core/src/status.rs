//! What a sidecar answers to `GET /status`, for who asks as for who answers.
//!
//! A reader takes what it knows: fields of a newer sidecar are passed over, and
//! those that an older one does not tell have their defaults.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::horizon::Holder;
use crate::share::RelayId;

/// The whole sidecar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// The [`fingerprint`](crate::config::Config::fingerprint) of the
    /// configuration it runs with.
    pub config: String,
    /// Why what the file holds now is not the configuration it runs with, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reload_problem: Option<String>,
    /// What it waits for before anything can start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// By name.
    pub outboxes: BTreeMap<String, OutboxReport>,
    /// By name.
    pub inboxes: BTreeMap<String, InboxReport>,
    /// Who holds the database's transaction horizon, the longest first.
    pub horizon: Vec<Holder>,
}

/// One outbox.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutboxReport {
    /// What keeps it from publishing, if anything does.
    pub waiting_for: Option<String>,
    /// Buckets this relay publishes.
    pub leased_buckets: usize,
    /// This run of the relay, as it stands in `owner` of its buckets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay: Option<RelayId>,
    /// The leases of all buckets, as this relay last saw them.
    pub leases: Vec<LeaseReport>,
    /// Rows published since this process started.
    pub published: u64,
    /// When the table was last read to its end.
    pub last_pass_at: Option<Timestamp>,
    /// Rows waiting, as last counted.
    pub pending_rows: i64,
    /// The age of the oldest of them, in seconds, if the table tells it.
    pub oldest_pending_age_seconds: Option<f64>,
    /// When the database was last found to be restored into another cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<Timestamp>,
    /// Keys waiting for a refused row to be tried again, as last counted.
    pub parked_keys: i64,
    /// Rows of those keys.
    pub parked_rows: i64,
    /// Rows that cannot be published, and that nobody has decided on.
    pub dead_letters: i64,
    /// How far the buckets are.
    pub cursors: Vec<CursorReport>,
}

/// A bucket's lease.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LeaseReport {
    /// The bucket.
    pub bucket: i32,
    /// The relay that publishes it, if any does.
    pub owner: Option<RelayId>,
    /// How often it was taken.
    pub epoch: i64,
    /// When the lease ends unless it is renewed, on the database's clock.
    pub expires_at: Option<Timestamp>,
}

/// Buckets at the same cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CursorReport {
    /// Which ones.
    pub buckets: Vec<i32>,
    /// The snapshot up to which everything is published.
    pub published: String,
    /// The last position published of a window under way.
    pub window_after: Option<i64>,
}

/// One inbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InboxReport {
    /// What keeps it from consuming or delivering, if anything does.
    pub waiting_for: Option<String>,
    /// Partitions this sidecar owns; without a table, those it reads.
    pub owned_partitions: usize,
    /// Messages in memory.
    pub queued: usize,
    /// Those the application is being given.
    pub in_flight: usize,
    /// Keys waiting to be tried again.
    pub parked_keys: usize,
    /// Messages that cannot be applied, of the owned partitions, and that nobody has
    /// decided on, as last counted; absent if the inbox has no index for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<i64>,
    /// Messages dropped since this process started; absent if the inbox has a table,
    /// which drops none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_version_is_understood() {
        let report: Report = serde_json::from_str(
            r#"{ "waitingFor": "the database", "mood": "fine",
                 "outboxes": { "orders": { "leasedBuckets": 8, "lanes": [1, 2] } } }"#,
        )
        .unwrap();
        assert_eq!(report.waiting_for.as_deref(), Some("the database"));
        assert_eq!(report.outboxes["orders"].leased_buckets, 8);
        assert_eq!(report.config, "");
    }

    #[test]
    fn a_report_survives_a_round_trip() {
        let mut report = Report { config: "0123".into(), ..Report::default() };
        report.inboxes.insert("updates".into(), InboxReport { queued: 3, ..Default::default() });
        let outbox =
            OutboxReport { last_pass_at: Some(Timestamp::UNIX_EPOCH), ..Default::default() };
        report.outboxes.insert("orders".into(), outbox);
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
    }
}
