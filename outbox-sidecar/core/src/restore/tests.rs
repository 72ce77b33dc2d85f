//! Two databases: a history in one, a dump of it, and a history in the other.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const WRITERS: usize = 4;
const KEYS: u8 = 3;

#[derive(Clone, Debug)]
enum Step {
    Insert {
        writer: usize,
        key: u8,
    },
    End {
        writer: usize,
        commit: bool,
    },
    Publish {
        chunk: usize,
    },
    /// The highest position published is written down from time to time only.
    Note,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..WRITERS, 0..KEYS).prop_map(|(writer, key)| Step::Insert { writer, key }),
        4 => (0..WRITERS, prop::bool::weighted(0.8))
            .prop_map(|(writer, commit)| Step::End { writer, commit }),
        4 => (1usize..4).prop_map(|chunk| Step::Publish { chunk }),
        1 => Just(Step::Note),
    ];
    prop::collection::vec(step, 0..120)
}

#[derive(Clone, Copy, Debug)]
struct Row {
    position: Position,
    xid: Xid,
    /// Who stored it here.
    tuple: Xid,
    key: u8,
}

struct Database {
    next_xid: Xid,
    next_position: Position,
    open: BTreeMap<usize, (Xid, BTreeSet<u8>)>,
    uncommitted: Vec<Row>,
    committed: Vec<Row>,
    commit_order: BTreeMap<u8, Vec<Position>>,
}

impl Database {
    fn new(next_xid: Xid) -> Self {
        Self {
            next_xid,
            next_position: 1,
            open: BTreeMap::new(),
            uncommitted: Vec::new(),
            committed: Vec::new(),
            commit_order: BTreeMap::new(),
        }
    }

    /// Loads a dump of another, in a transaction of its own.
    fn restored(dump: &Self, next_xid: Xid) -> Self {
        let rows = dump.committed.iter().map(|row| Row { tuple: next_xid, ..*row });
        Self {
            next_position: dump.next_position,
            committed: rows.collect(),
            commit_order: dump.commit_order.clone(),
            ..Self::new(next_xid + 1)
        }
    }

    fn insert(&mut self, writer: usize, key: u8) {
        let locked =
            self.open.iter().any(|(other, (_, keys))| *other != writer && keys.contains(&key));
        if locked {
            return;
        }
        let next_xid = &mut self.next_xid;
        let (xid, keys) = self.open.entry(writer).or_insert_with(|| {
            *next_xid += 1;
            (*next_xid - 1, BTreeSet::new())
        });
        keys.insert(key);
        self.uncommitted.push(Row { position: self.next_position, xid: *xid, tuple: *xid, key });
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
}

struct Relay {
    cursor: Cursor,
    highest: Option<Position>,
    noted: Option<Position>,
    published: Vec<Row>,
    /// After a restore: what was published before, and the highest row then.
    restored: Option<(Before, Position)>,
}

impl Relay {
    /// As the relay's SQL does.
    fn publish(&mut self, database: &Database, limit: usize) -> usize {
        let now = database.snapshot();
        let restarting = self.restored.is_some() && is_restarting(&self.cursor);
        let mut rows: Vec<Row> = database
            .committed
            .iter()
            .filter(|row| {
                let carried = carried(row.xid, row.tuple, now.xmax());
                match (&self.restored, self.cursor.open()) {
                    (Some((before, until)), Some(open)) if restarting => {
                        row.position > open.after
                            && row.position <= *until
                            && (carried || open.until.sees(row.xid))
                            && !before.published(row.xid, row.position)
                    }
                    (Some((_, until)), _) if row.position <= *until && carried => false,
                    _ => self.cursor.selects(&now, row.xid, row.position),
                }
            })
            .copied()
            .collect();
        rows.sort_by_key(|row| row.position);
        rows.truncate(limit);
        let last = rows.last().map(|row| row.position);
        self.cursor = self.cursor.advance(&now, last, rows.len() < limit);
        self.highest = self.highest.max(last);
        self.published.extend(&rows);
        rows.len()
    }

    fn run(&mut self, database: &mut Database, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Insert { writer, key } => database.insert(writer, key),
                Step::End { writer, commit } => database.end(writer, commit),
                Step::Publish { chunk } => {
                    self.publish(database, chunk);
                }
                Step::Note => self.noted = self.highest,
            }
        }
    }

    fn drain(&mut self, database: &mut Database) {
        for writer in 0..WRITERS {
            database.end(writer, true);
        }
        loop {
            let resuming = self.cursor.open().is_some();
            if self.publish(database, 3) == 0 && !resuming {
                break;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_restored_outbox_loses_nothing_and_keeps_the_order_of_each_key(
        old in steps(), unseen in steps(), new in steps(), next_xid in 3u64..300, burnt in 0u64..200,
    ) {
        let mut database = Database::new(100);
        let mut relay = Relay {
            cursor: Cursor::start(), highest: None, noted: None, published: Vec::new(), restored: None,
        };
        relay.run(&mut database, old);

        // The dump is restored, and services write before a relay looks.
        let stored = relay.cursor.clone();
        let mut database = Database::restored(&database, next_xid);
        for step in unseen {
            match step {
                Step::Insert { writer, key } => database.insert(writer, key),
                Step::End { writer, commit } => database.end(writer, commit),
                Step::Publish { .. } | Step::Note => {}
            }
        }
        let highest = database.committed.iter().map(|row| row.position).max();
        relay.restored = Some((
            Before { cursor: stored, highest: relay.noted },
            highest.unwrap_or(Position::MIN),
        ));
        relay.cursor = restart(database.snapshot());
        relay.run(&mut database, new);
        // Ids of the old database are passed one day.
        database.next_xid += burnt;
        relay.drain(&mut database);

        for (key, expected) in &database.commit_order {
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
fn rows_published_before_the_restore_are_not_published_again_if_their_positions_were_noted() {
    let mut database = Database::new(100);
    let mut relay = Relay {
        cursor: Cursor::start(),
        highest: None,
        noted: None,
        published: Vec::new(),
        restored: None,
    };
    for writer in 0..3 {
        database.insert(writer, u8::try_from(writer).unwrap());
        database.end(writer, true);
    }
    relay.drain(&mut database);
    let before = Before { cursor: relay.cursor.clone(), highest: relay.highest };
    let mut database = Database::restored(&database, 10);
    relay.restored = Some((before, 3));
    relay.cursor = restart(database.snapshot());
    database.insert(0, 0);
    relay.drain(&mut database);
    // The ids of the old rows come round.
    database.next_xid = 200;
    database.insert(1, 1);
    relay.drain(&mut database);
    let positions: Vec<_> = relay.published.iter().map(|row| row.position).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5]);
}

#[test]
fn another_identity_or_ids_that_went_back_are_a_restore_and_nothing_else_is() {
    let now = Origin { database: "b/1".into(), xmax: 500 };
    assert_eq!(judge(&now, Some("b/1"), 400, false), None);
    assert_eq!(judge(&now, Some("b/1"), 400, true), None, "the rows were dealt with");
    assert_eq!(judge(&now, None, 3, false), None, "a new outbox");
    assert_eq!(judge(&now, Some("a/1"), 400, false), Some(Restored::Elsewhere));
    assert_eq!(judge(&now, Some("b/1"), 501, false), Some(Restored::Backwards));
    assert_eq!(judge(&now, None, 3, true), Some(Restored::RowsAhead));
}
