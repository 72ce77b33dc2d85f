//! Who holds the transaction horizon, and for how long.
//!
//! A transaction that stays open keeps its rows from being published, rows
//! published since from being deleted after their retention, and dead rows of
//! busy tables, the cursors among them, from being vacuumed. A prepared
//! transaction does the same until somebody ends it, and a replication slot that
//! nobody reads does the last. What is seen at one moment is a [`Sighting`];
//! [`Watch`] makes of them who has held it for how long, and whether that is news.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What can hold the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A transaction of a connection.
    Transaction,
    /// A transaction prepared for a two-phase commit, which needs no connection.
    PreparedTransaction,
    /// A replication slot.
    ReplicationSlot,
    /// A standby that reports its own transactions without a slot.
    Standby,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] =
        [Self::Transaction, Self::PreparedTransaction, Self::ReplicationSlot, Self::Standby];

    /// The metric label, such as `prepared_transaction`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::PreparedTransaction => "prepared_transaction",
            Self::ReplicationSlot => "replication_slot",
            Self::Standby => "standby",
        }
    }

    /// The kind with this label.
    pub fn with_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }
}

/// Somebody who holds the horizon. What the sidecar's database user may not see
/// is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Holder {
    /// A [`Kind`]'s label.
    pub kind: String,
    /// The connection's process id, the prepared transaction's identifier, or the
    /// slot's name.
    pub name: String,
    /// Since when, in seconds: of a transaction its age, if that may be seen;
    /// otherwise since it was first seen.
    pub held_seconds: f64,
    /// How many transaction ids have been given out since.
    pub transactions: i64,
    /// The `application_name` of the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The database user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The database it is in; a transaction that writes holds the horizon of all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// What the connection does, such as `idle in transaction`, or whether
    /// somebody reads the slot: `active` or `inactive`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// When its last statement began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_started_at: Option<Timestamp>,
}

/// A holder as seen at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// What it is.
    pub kind: Kind,
    /// Stays the same as long as it holds the horizon at the same place.
    pub identity: String,
    /// Its age in seconds, if the database tells.
    pub seconds: Option<f64>,
    /// The rest; kind and time are filled in.
    pub holder: Holder,
}

/// What a look has found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Those who hold the horizon for a second or more, the longest first.
    pub holders: Vec<Holder>,
    /// Those that have just come to hold it for too long.
    pub exceeded: Vec<Holder>,
    /// Those that had held it for too long and no longer do, as last seen.
    pub cleared: Vec<Holder>,
}

/// Follows the holders from look to look.
#[derive(Debug)]
pub struct Watch {
    warn_after: Duration,
    known: HashMap<(Kind, String), Known>,
}

#[derive(Debug)]
struct Known {
    first_seen: Instant,
    /// As last seen, once it has held the horizon for too long.
    warned: Option<Holder>,
}

/// Every transaction holds the horizon for a moment.
const MOMENT: Duration = Duration::from_secs(1);

impl Watch {
    /// To hold the horizon for `warn_after` is too long.
    pub fn new(warn_after: Duration) -> Self {
        Self { warn_after, known: HashMap::new() }
    }

    /// Takes in what was seen at `now`.
    pub fn observe(&mut self, now: Instant, sightings: Vec<Sighting>) -> Observation {
        let mut observation = Observation::default();
        let mut before = std::mem::take(&mut self.known);
        for sighting in sightings {
            let key = (sighting.kind, sighting.identity);
            let mut known = before.remove(&key).unwrap_or(Known { first_seen: now, warned: None });
            let seen_for = now.saturating_duration_since(known.first_seen).as_secs_f64();
            let holder = Holder {
                kind: sighting.kind.label().to_owned(),
                held_seconds: sighting.seconds.unwrap_or_default().max(seen_for),
                ..sighting.holder
            };
            if holder.held_seconds >= self.warn_after.as_secs_f64() {
                if known.warned.is_none() {
                    observation.exceeded.push(holder.clone());
                }
                known.warned = Some(holder.clone());
            }
            if holder.held_seconds >= MOMENT.as_secs_f64() {
                observation.holders.push(holder);
            }
            self.known.insert(key, known);
        }
        observation.cleared = before.into_values().filter_map(|known| known.warned).collect();
        observation.holders.sort_by(|one, other| other.held_seconds.total_cmp(&one.held_seconds));
        observation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: Kind, name: &str, seconds: Option<f64>) -> Sighting {
        let holder = Holder { name: name.to_owned(), ..Holder::default() };
        Sighting { kind, identity: name.to_owned(), seconds, holder }
    }

    fn names(holders: &[Holder]) -> Vec<&str> {
        holders.iter().map(|holder| holder.name.as_str()).collect()
    }

    #[test]
    fn a_holder_is_news_once_when_it_exceeds_the_limit_and_once_when_it_is_gone() {
        let (mut watch, start) = (Watch::new(Duration::from_secs(60)), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let young = watch.observe(at(0), vec![seen(Kind::Transaction, "7", Some(50.0))]);
        assert_eq!((names(&young.holders), young.exceeded.len()), (vec!["7"], 0));
        let old = watch.observe(at(15), vec![seen(Kind::Transaction, "7", Some(65.0))]);
        assert_eq!(names(&old.exceeded), ["7"]);
        let older = watch.observe(at(30), vec![seen(Kind::Transaction, "7", Some(80.0))]);
        assert_eq!((older.exceeded.len(), older.cleared.len()), (0, 0));
        let gone = watch.observe(at(45), vec![]);
        assert_eq!(names(&gone.cleared), ["7"]);
        assert_eq!(gone.cleared[0].held_seconds, 80.0);
        assert_eq!(watch.observe(at(60), vec![]), Observation::default());
    }

    #[test]
    fn what_ends_in_time_is_never_news() {
        let (mut watch, start) = (Watch::new(Duration::from_secs(60)), Instant::now());
        let short = watch.observe(start, vec![seen(Kind::Transaction, "7", Some(0.2))]);
        assert_eq!(short, Observation::default());
        assert_eq!(watch.observe(start, vec![]), Observation::default());
    }

    #[test]
    fn an_age_that_is_not_told_counts_from_the_first_look() {
        let (mut watch, start) = (Watch::new(Duration::from_secs(60)), Instant::now());
        let slot = || vec![seen(Kind::ReplicationSlot, "replica", None)];
        watch.observe(start, slot());
        let later = watch.observe(start + Duration::from_secs(70), slot());
        assert_eq!(names(&later.exceeded), ["replica"]);
        assert_eq!(later.holders[0].held_seconds, 70.0);
        assert_eq!(later.holders[0].kind, "replication_slot");
    }

    #[test]
    fn the_longest_comes_first_and_a_slot_that_moves_on_begins_anew() {
        let (mut watch, start) = (Watch::new(Duration::from_secs(60)), Instant::now());
        watch.observe(start, vec![seen(Kind::ReplicationSlot, "at 5", None)]);
        let later = watch.observe(
            start + Duration::from_secs(70),
            vec![
                seen(Kind::ReplicationSlot, "at 9", None),
                seen(Kind::Transaction, "short", Some(2.0)),
                seen(Kind::PreparedTransaction, "long", Some(100.0)),
            ],
        );
        assert_eq!(names(&later.holders), ["long", "short"]);
        assert_eq!(names(&later.exceeded), ["long"]);
    }

    #[test]
    fn labels_are_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::with_label(kind.label()), Some(kind));
        }
    }
}
