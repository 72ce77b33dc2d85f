use std::time::Duration;

use proptest::prelude::*;

use super::*;

const POLICY: RetryPolicy = RetryPolicy {
    backoff: Backoff { initial: Duration::from_millis(100), maximum: Duration::from_secs(1) },
    maximum_attempts: Some(3),
};
const WIDE: BatchLimit = BatchLimit { messages: 100, bytes: 1_000_000 };
const HOME: Partition = Partition { topic: 0, partition: 0 };

fn pending(number: u128, key: Option<&str>) -> Pending<u128> {
    Pending {
        id: Uuid::from_u128(number),
        partition: HOME,
        key: key.map(|key| key.as_bytes().to_vec()),
        bytes: 10,
        attempts: 0,
        message: number,
    }
}

fn numbers<T: Copy>(batch: &Batch<T>) -> Vec<T> {
    batch.messages.iter().map(|pending| pending.message).collect()
}

fn outcomes(list: &[(u128, Outcome)]) -> HashMap<Uuid, Outcome> {
    list.iter().map(|(number, outcome)| (Uuid::from_u128(*number), outcome.clone())).collect()
}

#[test]
fn a_key_in_flight_is_not_taken_again_but_other_keys_are() {
    let mut scheduler = Scheduler::new(POLICY);
    let now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    let first = scheduler.next_batch(now, WIDE).unwrap();
    scheduler.push(pending(2, Some("a")));
    scheduler.push(pending(3, Some("b")));
    let second = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!(numbers(&second), [3]);
    scheduler.complete(first, &outcomes(&[(1, Outcome::Done)]), now, 0);
    assert_eq!(numbers(&scheduler.next_batch(now, WIDE).unwrap()), [2]);
}

#[test]
fn an_outage_counts_against_no_message_and_parks_only_its_key() {
    let mut scheduler = Scheduler::new(POLICY);
    let mut now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    for _ in 0..10 {
        let batch = scheduler.next_batch(now, WIDE).unwrap();
        assert!(scheduler.complete(batch, &HashMap::new(), now, 0).settled.is_empty());
        scheduler.push(pending(2, Some("a")));
        assert!(scheduler.next_batch(now, WIDE).is_none(), "the key waits out its backoff");
        assert_eq!(scheduler.parked_keys(), 1);
        now = scheduler.next_wakeup().unwrap();
    }
    let batch = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!(numbers(&batch), [1, 2], "in order, and not given up");
}

#[test]
fn counted_failures_end_in_death_and_the_key_goes_on() {
    let mut scheduler = Scheduler::new(POLICY);
    let mut now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    scheduler.push(pending(2, Some("a")));
    let lock_timeout = || Outcome::Retry("lock timeout".into());
    // The application leaves the second untried, which must not count.
    let failed = outcomes(&[(1, lock_timeout()), (2, lock_timeout())]);
    for _ in 0..2 {
        let batch = scheduler.next_batch(now, WIDE).unwrap();
        let completion = scheduler.complete(batch, &failed, now, 0);
        assert!(completion.settled.is_empty());
        assert_eq!(completion.failed, [(Uuid::from_u128(1), "lock timeout".to_owned())]);
        now = scheduler.next_wakeup().unwrap();
    }
    let batch = scheduler.next_batch(now, WIDE).unwrap();
    let settled = scheduler.complete(batch, &failed, now, 0).settled;
    let [(dead, Settled::Dead(reason))] = settled.as_slice() else { panic!("{settled:?}") };
    assert_eq!((dead.message, reason.as_str()), (1, "gave up after 3 attempts: lock timeout"));
    now = scheduler.next_wakeup().unwrap();
    let batch = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!((numbers(&batch), batch.messages[0].attempts), (vec![2], 0));
}

#[test]
fn a_rejected_message_is_dead_at_once() {
    let mut scheduler = Scheduler::new(POLICY);
    let now = Instant::now();
    scheduler.push(pending(1, None));
    let batch = scheduler.next_batch(now, WIDE).unwrap();
    let completion =
        scheduler.complete(batch, &outcomes(&[(1, Outcome::Rejected("no JSON".into()))]), now, 0);
    assert_eq!(completion.settled[0].1, Settled::Dead("no JSON".into()));
    assert!(scheduler.is_empty());
    assert_eq!(scheduler.bytes(), 0);
}

#[test]
fn a_batch_respects_its_limits_yet_takes_one_message_of_any_size() {
    let mut scheduler = Scheduler::new(POLICY);
    let now = Instant::now();
    for number in 1..=3 {
        scheduler.push(pending(number, None));
    }
    let narrow = BatchLimit { messages: 100, bytes: 25 };
    assert_eq!(numbers(&scheduler.next_batch(now, narrow).unwrap()), [1, 2]);
    let tiny = BatchLimit { messages: 100, bytes: 5 };
    assert_eq!(numbers(&scheduler.next_batch(now, tiny).unwrap()), [3]);
}

#[test]
fn revoked_messages_are_forgotten_unless_they_come_back() {
    let mut scheduler = Scheduler::new(POLICY);
    let now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    scheduler.push(pending(2, Some("b")));
    let batch = scheduler.next_batch(now, BatchLimit { messages: 1, bytes: 100 }).unwrap();
    scheduler.revoke(HOME);
    assert_eq!(scheduler.len(), 1, "only the one in flight is left");
    scheduler.complete(batch, &HashMap::new(), now, 0);
    assert!(scheduler.is_empty());

    scheduler.push(pending(1, Some("a")));
    let later = now + Duration::from_secs(60);
    let batch = scheduler.next_batch(later, WIDE).unwrap();
    scheduler.revoke(HOME);
    assert!(!scheduler.push(pending(1, Some("a"))), "it is still in flight");
    scheduler.complete(batch, &HashMap::new(), later, 0);
    let later = scheduler.next_wakeup().unwrap();
    assert_eq!(numbers(&scheduler.next_batch(later, WIDE).unwrap()), [1]);
}

#[test]
fn a_message_that_fails_whole_requests_is_singled_out_and_holds_up_no_other_key() {
    let mut scheduler = Scheduler::new(POLICY);
    let mut now = Instant::now();
    for number in 0..100 {
        scheduler.push(pending(number, Some(&format!("k{}", number % 50))));
    }
    let mut requests = 0;
    while scheduler.len() > 2 {
        let Some(batch) = scheduler.next_batch(now, WIDE) else {
            now = scheduler.next_wakeup().unwrap();
            continue;
        };
        requests += 1;
        let outcome = if numbers(&batch).contains(&7) { Outcome::Suspect } else { Outcome::Done };
        let all = batch.messages.iter().map(|pending| (pending.message, outcome.clone()));
        let answer = outcomes(&all.collect::<Vec<_>>());
        assert!(scheduler.complete(batch, &answer, now, 0).failed.is_empty());
        assert!(requests < 200, "only the culprit and what stands behind it may be left");
    }
    now = scheduler.next_wakeup().unwrap();
    let alone = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!(numbers(&alone), [7]);
    let healed = outcomes(&[(7, Outcome::Done)]);
    scheduler.complete(alone, &healed, now, 0);
    scheduler.push(pending(200, Some("k7")));
    assert_eq!(
        numbers(&scheduler.next_batch(now, WIDE).unwrap()),
        [57, 200],
        "above suspicion again"
    );
}

proptest! {
    /// Whatever fails and however batches overlap, each message is applied once
    /// and in order within its key.
    #[test]
    fn every_message_is_settled_once_and_in_order(
        keys in prop::collection::vec(prop::option::of(0u8..4), 1..60),
        verdicts in prop::collection::vec(0u8..4, 0..200),
        limit in 1usize..8,
        concurrent in 1usize..4,
    ) {
        let mut scheduler = Scheduler::new(RetryPolicy { maximum_attempts: None, ..POLICY });
        let mut now = Instant::now();
        for (number, key) in keys.iter().enumerate() {
            let key = key.map(|key| key.to_string());
            scheduler.push(pending(number as u128, key.as_deref()));
        }
        let mut verdicts = verdicts.into_iter();
        let mut applied: Vec<u128> = Vec::new();
        let mut in_flight = VecDeque::new();
        while !scheduler.is_empty() {
            while in_flight.len() < concurrent {
                match scheduler.next_batch(now, BatchLimit { messages: limit, bytes: 1_000 }) {
                    Some(batch) => in_flight.push_back(batch),
                    None => break,
                }
            }
            let Some(batch) = in_flight.pop_front() else {
                now = scheduler.next_wakeup().unwrap();
                continue;
            };
            // The application skips what follows a failure of the same key.
            let mut failed: HashSet<Option<Vec<u8>>> = HashSet::new();
            let mut answer = HashMap::new();
            for pending in &batch.messages {
                let skip = pending.key.is_some() && failed.contains(&pending.key);
                let ok = !skip && verdicts.next().is_none_or(|verdict| verdict > 0);
                if ok {
                    applied.push(pending.message);
                    answer.insert(pending.id, Outcome::Done);
                } else {
                    failed.insert(pending.key.clone());
                    answer.insert(pending.id, Outcome::Retry("again".into()));
                }
            }
            scheduler.complete(batch, &answer, now, 0);
        }
        let once: HashSet<_> = applied.iter().collect();
        prop_assert_eq!(once.len(), applied.len());
        prop_assert_eq!(applied.len(), keys.len());
        for key in keys.iter().flatten().collect::<HashSet<_>>() {
            let order: Vec<_> = applied.iter().filter(|n| keys[**n as usize].as_ref() == Some(key)).collect();
            prop_assert!(order.is_sorted(), "key {}: {:?}", key, order);
        }
    }
}
