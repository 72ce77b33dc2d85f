//! What was committed against what was published and applied, without I/O.

mod violation;

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

pub use violation::{Place, Sort, Violation};

/// What must become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Published and applied.
    Applied,
    /// Never published: it ends in the dead letters of the outbox.
    Unpublishable,
    /// Published and never applied: it ends in the dead letters of the inbox.
    Rejected,
}

/// A row as it was committed, written down in its own transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The message's id.
    pub id: Uuid,
    /// Its key.
    pub key: String,
    /// Its place in the order of the key's commits, from 1.
    pub number: i64,
    /// What must become of it.
    pub fate: Fate,
}

/// A record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The message's id.
    pub id: Uuid,
    /// Its key.
    pub key: String,
    /// What the payload says is its place in the order of the key.
    pub number: i64,
    /// Where it is.
    pub partition: i32,
    /// Where in the partition.
    pub offset: i64,
}

/// Everything that is known once all is quiet.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What was committed.
    pub ledger: Vec<Entry>,
    /// What was published; within a partition in the order of the offsets.
    pub published: Vec<Record>,
    /// What was applied, in the order of application.
    pub applied: Vec<Uuid>,
    /// The dead letters of the outbox.
    pub unpublished: Vec<Uuid>,
    /// The dead letters of the inbox.
    pub rejected: Vec<Uuid>,
    /// Processes that ended by themselves, and how.
    pub ended: Vec<String>,
}

/// What the comparison gives.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// Rows committed, the poison ones included.
    pub committed: usize,
    /// Rows that were to end in the dead letters of the outbox.
    pub unpublishable: usize,
    /// Rows that were to end in the dead letters of the inbox.
    pub rejected: usize,
    /// Records of the topic.
    pub records: usize,
    /// Records that repeat an earlier one: what consumers deduplicate.
    pub repeated: usize,
    /// Rows applied.
    pub applied: usize,
    /// Everything that must not be.
    pub violations: Vec<Violation>,
}

/// Compares.
pub fn audit(evidence: &Evidence) -> Audit {
    let ledger: HashMap<Uuid, &Entry> =
        evidence.ledger.iter().map(|entry| (entry.id, entry)).collect();
    let count = |fate| evidence.ledger.iter().filter(|entry| entry.fate == fate).count();
    let mut audit = Audit {
        committed: evidence.ledger.len(),
        unpublishable: count(Fate::Unpublishable),
        rejected: count(Fate::Rejected),
        records: evidence.published.len(),
        ..Audit::default()
    };
    for how in &evidence.ended {
        audit.violations.push(Violation::Ended { how: how.clone() });
    }
    let published = publications(&ledger, evidence, &mut audit);
    let applied = applications(&ledger, evidence, &mut audit);
    let dead: HashSet<Uuid> = evidence.unpublished.iter().copied().collect();
    let rejected: HashSet<Uuid> = evidence.rejected.iter().copied().collect();
    for (place, ids) in [(Place::OutboxDeadLetters, &dead), (Place::InboxDeadLetters, &rejected)] {
        for id in ids {
            found_at(&ledger, *id, place, &mut audit.violations);
        }
    }
    let whereabouts = Whereabouts { published, applied, dead, rejected };
    for (key, entries) in by_key(&evidence.ledger) {
        settle(key, &entries, &whereabouts, &mut audit.violations);
    }
    audit
}

/// Where each id was found.
struct Whereabouts {
    published: HashSet<Uuid>,
    applied: HashSet<Uuid>,
    dead: HashSet<Uuid>,
    rejected: HashSet<Uuid>,
}

/// Goes through the topic.
fn publications(
    ledger: &HashMap<Uuid, &Entry>,
    evidence: &Evidence,
    audit: &mut Audit,
) -> HashSet<Uuid> {
    let mut order = Order::new(Place::Topic);
    let mut partitions: HashMap<&str, i32> = HashMap::new();
    let mut seen = HashSet::new();
    for record in &evidence.published {
        if !seen.insert(record.id) {
            audit.repeated += 1;
        } else if let Some(entry) = found_at(ledger, record.id, Place::Topic, &mut audit.violations)
        {
            order.next(entry, &mut audit.violations);
        }
        if let Some(entry) = ledger.get(&record.id)
            && (entry.key != record.key || entry.number != record.number)
        {
            audit.violations.push(Violation::Altered {
                id: record.id,
                committed: (entry.key.clone(), entry.number),
                published: (record.key.clone(), record.number),
            });
        }
        let partition = *partitions.entry(&record.key).or_insert(record.partition);
        if partition != record.partition {
            audit.violations.push(Violation::Scattered {
                key: record.key.clone(),
                partitions: (partition, record.partition),
            });
        }
    }
    seen
}

/// Goes through the effects.
fn applications(
    ledger: &HashMap<Uuid, &Entry>,
    evidence: &Evidence,
    audit: &mut Audit,
) -> HashSet<Uuid> {
    let mut order = Order::new(Place::Effects);
    let mut times: HashMap<Uuid, usize> = HashMap::new();
    for id in &evidence.applied {
        let times = times.entry(*id).or_default();
        *times += 1;
        if *times == 1
            && let Some(entry) = found_at(ledger, *id, Place::Effects, &mut audit.violations)
        {
            order.next(entry, &mut audit.violations);
        }
    }
    for (id, times) in times.iter().filter(|(_, times)| **times > 1) {
        let of = ledger.get(id);
        audit.violations.push(Violation::AppliedTwice {
            id: *id,
            key: of.map(|entry| entry.key.clone()).unwrap_or_default(),
            number: of.map_or(0, |entry| entry.number),
            times: *times,
        });
    }
    audit.applied = times.len();
    times.into_keys().collect()
}

/// The entry of what was found somewhere; a violation if there is none, or if that is not where
/// it belongs.
fn found_at<'a>(
    ledger: &HashMap<Uuid, &'a Entry>,
    id: Uuid,
    place: Place,
    violations: &mut Vec<Violation>,
) -> Option<&'a Entry> {
    let Some(entry) = ledger.get(&id) else {
        violations.push(Violation::NeverCommitted { id, place });
        return None;
    };
    let belongs = match place {
        Place::Topic => entry.fate != Fate::Unpublishable,
        Place::Effects => entry.fate == Fate::Applied,
        Place::OutboxDeadLetters => entry.fate == Fate::Unpublishable,
        Place::InboxDeadLetters => entry.fate == Fate::Rejected,
    };
    if !belongs {
        violations.push(Violation::Misplaced {
            id,
            key: entry.key.clone(),
            number: entry.number,
            place,
        });
    }
    Some(entry)
}

/// Whether the rows of each key come in their order.
struct Order<'a> {
    place: Place,
    last: HashMap<&'a str, i64>,
}

impl<'a> Order<'a> {
    fn new(place: Place) -> Self {
        Self { place, last: HashMap::new() }
    }

    fn next(&mut self, entry: &'a Entry, violations: &mut Vec<Violation>) {
        let last = self.last.entry(&entry.key).or_insert(0);
        if entry.number < *last {
            violations.push(Violation::OutOfOrder {
                id: entry.id,
                key: entry.key.clone(),
                number: entry.number,
                after: *last,
                place: self.place,
            });
        }
        *last = entry.number.max(*last);
    }
}

/// The rows of each key in their order; the keys in theirs.
fn by_key(ledger: &[Entry]) -> std::collections::BTreeMap<&str, Vec<&Entry>> {
    let mut keys: std::collections::BTreeMap<&str, Vec<&Entry>> = Default::default();
    for entry in ledger {
        keys.entry(&entry.key).or_default().push(entry);
    }
    for entries in keys.values_mut() {
        entries.sort_by_key(|entry| entry.number);
    }
    keys
}

/// Looks for what did not get where it belongs: it is lost if a later row of its key did, and
/// otherwise the key is stuck.
fn settle(key: &str, entries: &[&Entry], at: &Whereabouts, violations: &mut Vec<Violation>) {
    for (expected, entry) in (1..).zip(entries) {
        if entry.number != expected {
            violations.push(Violation::Gap { key: key.to_owned(), number: expected });
            break;
        }
    }
    let settled = |entry: &Entry| match entry.fate {
        Fate::Applied => at.applied.contains(&entry.id),
        Fate::Unpublishable => at.dead.contains(&entry.id),
        Fate::Rejected => at.rejected.contains(&entry.id),
    };
    let passed = entries.iter().rposition(|entry| settled(entry)).map_or(0, |last| last + 1);
    let (passed, waiting) = entries.split_at(passed);
    for entry in passed.iter().filter(|entry| !settled(entry)) {
        let (id, key, number) = (entry.id, key.to_owned(), entry.number);
        violations.push(match entry.fate {
            Fate::Applied => {
                Violation::Lost { id, key, number, published: at.published.contains(&id) }
            }
            _ => Violation::Unaccounted { id, key, number },
        });
    }
    if let Some(first) = waiting.first() {
        violations.push(Violation::Stuck {
            id: first.id,
            key: key.to_owned(),
            number: first.number,
            rows: waiting.len(),
            published: at.published.contains(&first.id),
        });
    }
}

#[cfg(test)]
mod tests;
