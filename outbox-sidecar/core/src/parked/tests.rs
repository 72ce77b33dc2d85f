use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const POLICY: PoisonPolicy = PoisonPolicy {
    maximum_attempts: 3,
    backoff: Backoff { initial: Duration::from_secs(1), maximum: Duration::from_secs(60) },
};

#[test]
fn a_mendable_row_is_tried_again_until_its_attempts_are_used_up() {
    let verdicts = (0..3).map(|before| POLICY.verdict(Refusal::Mendable, before, 0));
    let half = Duration::from_millis(500);
    assert_eq!(
        verdicts.collect::<Vec<_>>(),
        [
            Verdict::Park { attempts: 1, retry_after: half },
            Verdict::Park { attempts: 2, retry_after: half * 2 },
            Verdict::Dead { attempts: 3 },
        ]
    );
}

#[test]
fn a_hopeless_row_is_dead_at_once() {
    assert_eq!(POLICY.verdict(Refusal::Hopeless, 0, 0), Verdict::Dead { attempts: 1 });
}

#[test]
fn one_attempt_is_no_second_one() {
    let policy = PoisonPolicy { maximum_attempts: 1, ..POLICY };
    assert_eq!(policy.verdict(Refusal::Mendable, 0, 0), Verdict::Dead { attempts: 1 });
}

/// What the tables hold, and what the broker has.
#[derive(Default)]
struct World {
    /// By position: attempts so far.
    parked: BTreeMap<usize, u32>,
    dead: BTreeSet<usize>,
    published: Vec<usize>,
}

/// A row's key, and what the broker says to its attempts; what comes after is taken.
#[derive(Clone, Debug)]
struct Row {
    key: Option<&'static str>,
    answers: Vec<Refusal>,
}

impl World {
    /// One transaction: the rows of a chunk, as the relay deals with them. `asked`
    /// counts the attempts of every row.
    fn chunk(&mut self, rows: &[(usize, &Row)], asked: &mut [usize]) {
        let mut waiting = WaitingKeys::default();
        for (position, row) in rows {
            if waiting.has(row.key) {
                self.parked.entry(*position).or_insert(0);
                continue;
            }
            let answer = row.answers.get(asked[*position]).copied();
            asked[*position] += 1;
            let before = self.parked.remove(position).unwrap_or(0);
            match answer.map(|refusal| POLICY.verdict(refusal, before, 7)) {
                None => self.published.push(*position),
                Some(Verdict::Dead { .. }) => {
                    self.dead.insert(*position);
                }
                Some(Verdict::Park { attempts, .. }) => {
                    waiting.park(row.key);
                    self.parked.insert(*position, attempts);
                }
            }
        }
    }
}

fn row() -> impl Strategy<Value = Row> {
    let key = prop_oneof![Just(None), Just(Some("a")), Just(Some("b")), Just(Some("c"))];
    let refusal = prop_oneof![4 => Just(Refusal::Mendable), 1 => Just(Refusal::Hopeless)];
    let answers = prop_oneof![3 => Just(Vec::new()), 2 => proptest::collection::vec(refusal, 0..5)];
    (key, answers).prop_map(|(key, answers)| Row { key, answers })
}

proptest! {
    /// Whatever is refused how often, and however chunks and retries take turns.
    #[test]
    fn keys_keep_their_order_and_every_row_ends_published_or_dead(
        rows in proptest::collection::vec(row(), 1..40),
        chunks in proptest::collection::vec((1usize..6, 0usize..4), 1..40),
    ) {
        let mut world = World::default();
        let mut asked = vec![0; rows.len()];
        let mut next = 0;
        let mut turns = chunks.into_iter();
        while next < rows.len() || !world.parked.is_empty() {
            let (size, retries) = turns.next().unwrap_or((5, 4));
            let end = (next + size).min(rows.len());
            // Rows parked earlier are known by their keys, as the relay's SQL knows them.
            let keys: BTreeSet<_> = world.parked.keys().filter_map(|position| rows[*position].key).collect();
            let (waiting, fresh): (Vec<_>, Vec<_>) = (next..end)
                .map(|position| (position, &rows[position]))
                .partition(|(_, row)| row.key.is_some_and(|key| keys.contains(key)));
            world.parked.extend(waiting.iter().map(|(position, _)| (*position, 0)));
            world.chunk(&fresh, &mut asked);
            next = end;
            for _ in 0..retries {
                // The first row of each key; one without a key is always the first.
                let mut seen = BTreeSet::new();
                let heads: Vec<usize> = world.parked.keys().copied()
                    .filter(|position| rows[*position].key.is_none_or(|key| seen.insert(key)))
                    .collect();
                for head in heads {
                    world.chunk(&[(head, &rows[head])], &mut asked);
                }
            }
        }
        let mut ended: Vec<usize> = world.published.iter().chain(&world.dead).copied().collect();
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..rows.len()).collect::<Vec<_>>(), "each once");
        for key in ["a", "b", "c"] {
            let of_key: Vec<_> = world.published.iter().filter(|position| rows[**position].key == Some(key)).collect();
            prop_assert!(of_key.is_sorted(), "{}: {:?}", key, of_key);
        }
        for (position, row) in rows.iter().enumerate() {
            let dies = row.answers.len() >= 3 || row.answers.contains(&Refusal::Hopeless);
            prop_assert_eq!(world.dead.contains(&position), dies, "{:?}", row);
        }
    }
}
