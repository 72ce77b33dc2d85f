//! What must not be.

use std::fmt;

use uuid::Uuid;

/// Where a row can be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The topic.
    Topic,
    /// The application's effects.
    Effects,
    /// The dead letters of the outbox.
    OutboxDeadLetters,
    /// The dead letters of the inbox.
    InboxDeadLetters,
}

/// Something that must not be, with the ids to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A row is nowhere, though later ones of its key went through.
    Lost {
        /// The row.
        id: Uuid,
        /// Its key.
        key: String,
        /// Its place in the key.
        number: i64,
        /// Whether it got as far as the topic.
        published: bool,
    },
    /// A key whose last rows have not arrived although everything runs.
    Stuck {
        /// The first of them.
        id: Uuid,
        /// The key.
        key: String,
        /// The first one's place in the key.
        number: i64,
        /// How many.
        rows: usize,
        /// Whether the first got as far as the topic.
        published: bool,
    },
    /// A row first appeared after a later one of its key.
    OutOfOrder {
        /// The row.
        id: Uuid,
        /// Its key.
        key: String,
        /// Its place in the key.
        number: i64,
        /// The later row's place.
        after: i64,
        /// Where.
        place: Place,
    },
    /// A row had its effect more than once.
    AppliedTwice {
        /// The row.
        id: Uuid,
        /// Its key.
        key: String,
        /// Its place in the key.
        number: i64,
        /// How often.
        times: usize,
    },
    /// Something that was rolled back, or never written, went through.
    NeverCommitted {
        /// What.
        id: Uuid,
        /// Where it was found.
        place: Place,
    },
    /// A record has another key or content than its row.
    Altered {
        /// The row.
        id: Uuid,
        /// Its key and place.
        committed: (String, i64),
        /// The record's.
        published: (String, i64),
    },
    /// Records of one key are in several partitions.
    Scattered {
        /// The key.
        key: String,
        /// Two of them.
        partitions: (i32, i32),
    },
    /// A poison row went through, or a good one is a dead letter.
    Misplaced {
        /// The row.
        id: Uuid,
        /// Its key.
        key: String,
        /// Its place in the key.
        number: i64,
        /// Where it was found.
        place: Place,
    },
    /// A poison row is in no dead letters.
    Unaccounted {
        /// The row.
        id: Uuid,
        /// Its key.
        key: String,
        /// Its place in the key.
        number: i64,
    },
    /// The ledger itself lacks a row: the database has lost a commit, or the test is wrong.
    Gap {
        /// The key.
        key: String,
        /// The place that is missing.
        number: i64,
    },
    /// A process ended that nobody had stopped.
    Ended {
        /// Which, and its last words.
        how: String,
    },
}

/// A sort of violation, as a table counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// [`Violation::Lost`].
    Lost,
    /// [`Violation::OutOfOrder`] in the topic.
    PublishedOutOfOrder,
    /// [`Violation::OutOfOrder`] in the effects.
    AppliedOutOfOrder,
    /// [`Violation::AppliedTwice`].
    AppliedTwice,
    /// [`Violation::Stuck`].
    Stuck,
    /// [`Violation::NeverCommitted`].
    NeverCommitted,
    /// [`Violation::Altered`] and [`Violation::Scattered`].
    Altered,
    /// [`Violation::Misplaced`] and [`Violation::Unaccounted`].
    Poison,
    /// [`Violation::Gap`].
    Ledger,
    /// [`Violation::Ended`].
    Ended,
}

impl Sort {
    /// Every sort.
    pub const ALL: [Self; 10] = [
        Self::Lost,
        Self::PublishedOutOfOrder,
        Self::AppliedOutOfOrder,
        Self::AppliedTwice,
        Self::Stuck,
        Self::NeverCommitted,
        Self::Altered,
        Self::Poison,
        Self::Ledger,
        Self::Ended,
    ];

    /// For a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::PublishedOutOfOrder => "published out of order",
            Self::AppliedOutOfOrder => "applied out of order",
            Self::AppliedTwice => "applied more than once",
            Self::Stuck => "keys stuck",
            Self::NeverCommitted => "never committed, yet there",
            Self::Altered => "altered on the way",
            Self::Poison => "poison unaccounted for",
            Self::Ledger => "gaps in the ledger",
            Self::Ended => "processes that ended",
        }
    }
}

impl Violation {
    /// Under what it is counted.
    pub fn sort(&self) -> Sort {
        match self {
            Self::Lost { .. } => Sort::Lost,
            Self::Stuck { .. } => Sort::Stuck,
            Self::OutOfOrder { place: Place::Topic, .. } => Sort::PublishedOutOfOrder,
            Self::OutOfOrder { .. } => Sort::AppliedOutOfOrder,
            Self::AppliedTwice { .. } => Sort::AppliedTwice,
            Self::NeverCommitted { .. } => Sort::NeverCommitted,
            Self::Altered { .. } | Self::Scattered { .. } => Sort::Altered,
            Self::Misplaced { .. } | Self::Unaccounted { .. } => Sort::Poison,
            Self::Gap { .. } => Sort::Ledger,
            Self::Ended { .. } => Sort::Ended,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "the topic",
            Self::Effects => "the effects",
            Self::OutboxDeadLetters => "the outbox's dead letters",
            Self::InboxDeadLetters => "the inbox's dead letters",
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reached = |published: &bool| if *published { "published" } else { "never published" };
        match self {
            Self::Lost { id, key, number, published } => {
                write!(f, "lost: {key} #{number} ({id}), {}", reached(published))
            }
            Self::Stuck { id, key, number, rows, published } => write!(
                f,
                "stuck: {key}, {rows} rows from #{number} ({id}), which was {}",
                reached(published)
            ),
            Self::OutOfOrder { id, key, number, after, place } => {
                write!(f, "out of order: {key} #{number} ({id}) after #{after} in {place}")
            }
            Self::AppliedTwice { id, key, number, times } => {
                write!(f, "applied {times} times: {key} #{number} ({id})")
            }
            Self::NeverCommitted { id, place } => {
                write!(f, "never committed: {id}, found in {place}")
            }
            Self::Altered { id, committed, published } => write!(
                f,
                "altered: {id} is {} #{} in the ledger and {} #{} in the topic",
                committed.0, committed.1, published.0, published.1
            ),
            Self::Scattered { key, partitions: (one, other) } => {
                write!(f, "scattered: {key} is in the partitions {one} and {other}")
            }
            Self::Misplaced { id, key, number, place } => {
                write!(f, "misplaced: {key} #{number} ({id}) is in {place}")
            }
            Self::Unaccounted { id, key, number } => {
                write!(f, "unaccounted for: poison {key} #{number} ({id}) is in no dead letters")
            }
            Self::Gap { key, number } => write!(f, "gap: {key} #{number} is not in the ledger"),
            Self::Ended { how } => write!(f, "ended by itself: {how}"),
        }
    }
}
