//! A small model of PostgreSQL's transactions drives the cursor at random.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// A writer takes its key's lock if free, and inserts a row.
    Insert {
        writer: usize,
        key: u8,
    },
    Commit {
        writer: usize,
    },
    RollBack {
        writer: usize,
    },
    /// The relay publishes one chunk.
    Publish {
        chunk: usize,
    },
    /// The relay dies after publishing, before its cursor is stored.
    PublishAndCrash {
        chunk: usize,
    },
}

const WRITERS: usize = 5;
const KEYS: u8 = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let writer = 0..WRITERS;
    let step = prop_oneof![
        6 => (writer.clone(), 0..KEYS).prop_map(|(writer, key)| Step::Insert { writer, key }),
        3 => writer.clone().prop_map(|writer| Step::Commit { writer }),
        1 => writer.prop_map(|writer| Step::RollBack { writer }),
        4 => (1usize..4).prop_map(|chunk| Step::Publish { chunk }),
        1 => (1usize..4).prop_map(|chunk| Step::PublishAndCrash { chunk }),
    ];
    prop::collection::vec(step, 0..250)
}

#[derive(Clone, Copy, Debug)]
struct Row {
    position: Position,
    xid: u64,
    key: u8,
}

#[derive(Default)]
struct Database {
    next_xid: u64,
    next_position: Position,
    open: BTreeMap<usize, (u64, BTreeSet<u8>)>,
    uncommitted: Vec<Row>,
    committed: Vec<Row>,
    /// Positions by key in the order their transactions committed.
    commit_order: BTreeMap<u8, Vec<Position>>,
}

impl Database {
    fn new() -> Self {
        Self { next_xid: 100, next_position: 1, ..Self::default() }
    }

    fn insert(&mut self, writer: usize, key: u8) {
        let locked =
            self.open.iter().any(|(other, (_, keys))| *other != writer && keys.contains(&key));
        if locked {
            return; // the real writer would wait for the row lock
        }
        let next_xid = &mut self.next_xid;
        let (xid, keys) = self.open.entry(writer).or_insert_with(|| {
            *next_xid += 1;
            (*next_xid - 1, BTreeSet::new())
        });
        keys.insert(key);
        self.uncommitted.push(Row { position: self.next_position, xid: *xid, key });
        self.next_position += 1;
    }

    fn end(&mut self, writer: usize, commit: bool) {
        let Some((xid, _)) = self.open.remove(&writer) else { return };
        let (ended, still_open): (Vec<Row>, Vec<Row>) =
            self.uncommitted.iter().partition(|row| row.xid == xid);
        self.uncommitted = still_open;
        if commit {
            for row in &ended {
                self.commit_order.entry(row.key).or_default().push(row.position);
            }
            self.committed.extend(ended);
        }
    }

    fn snapshot(&self) -> Snapshot {
        let running: BTreeSet<u64> = self.open.values().map(|(xid, _)| *xid).collect();
        let list: Vec<_> = running.iter().map(u64::to_string).collect();
        let xmin = running.first().copied().unwrap_or(self.next_xid);
        format!("{xmin}:{}:{}", self.next_xid, list.join(",")).parse().unwrap()
    }

    fn chunk(&self, cursor: &Cursor, until: &Snapshot, limit: usize) -> Vec<Row> {
        let mut rows: Vec<_> = self
            .committed
            .iter()
            .filter(|row| cursor.selects(until, row.xid, row.position))
            .copied()
            .collect();
        rows.sort_by_key(|row| row.position);
        rows.truncate(limit);
        rows
    }
}

struct Relay {
    cursor: Cursor,
    published: Vec<Row>,
}

impl Relay {
    fn publish(&mut self, database: &Database, chunk: usize, store_cursor: bool) -> usize {
        let until = database.snapshot();
        let rows = database.chunk(&self.cursor, &until, chunk);
        if store_cursor {
            self.cursor = self.cursor.advance(
                &until,
                rows.last().map(|row| row.position),
                rows.len() < chunk,
            );
        }
        self.published.extend(&rows);
        rows.len()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_committed_row_is_published_in_commit_order_per_key(steps in steps()) {
        let mut database = Database::new();
        let mut relay = Relay { cursor: Cursor::start(), published: Vec::new() };
        let mut crashed = false;
        for step in steps {
            match step {
                Step::Insert { writer, key } => database.insert(writer, key),
                Step::Commit { writer } => database.end(writer, true),
                Step::RollBack { writer } => database.end(writer, false),
                Step::Publish { chunk } => { relay.publish(&database, chunk, true); }
                Step::PublishAndCrash { chunk } => {
                    crashed = true;
                    relay.publish(&database, chunk, false);
                }
            }
        }
        for writer in 0..WRITERS {
            database.end(writer, true);
        }
        loop {
            let resuming = relay.cursor.open().is_some();
            if relay.publish(&database, 3, true) == 0 && !resuming {
                break;
            }
        }

        if !crashed {
            prop_assert_eq!(relay.published.len(), database.committed.len(), "a row was published twice");
        }
        for (key, expected) in &database.commit_order {
            // A crash repeats rows; consumers drop what they have seen.
            let mut seen = BTreeSet::new();
            let first_time: Vec<_> = relay.published.iter()
                .filter(|row| row.key == *key && seen.insert(row.position))
                .map(|row| row.position)
                .collect();
            prop_assert_eq!(&first_time, expected, "key {}", key);
        }
    }
}

#[test]
fn a_late_commit_is_in_a_later_window() {
    let mut database = Database::new();
    let mut relay = Relay { cursor: Cursor::start(), published: Vec::new() };
    database.insert(0, 0);
    database.insert(1, 1);
    database.end(1, true);
    assert_eq!(
        relay.publish(&database, 10, true),
        1,
        "the second writer's row does not wait for the first"
    );
    database.end(0, true);
    assert_eq!(relay.publish(&database, 10, true), 1, "the late commit is not skipped");
    assert_eq!(relay.publish(&database, 10, true), 0);
}

#[test]
fn an_open_window_ignores_newer_snapshots() {
    let until: Snapshot = "5:5:".parse().unwrap();
    let later: Snapshot = "9:9:".parse().unwrap();
    let open = Cursor::start().advance(&until, Some(7), false);
    assert!(!open.selects(&later, 6, 8), "not yet in the window that is open");
    assert_eq!(open.advance(&later, Some(9), true).published(), &until);
}
