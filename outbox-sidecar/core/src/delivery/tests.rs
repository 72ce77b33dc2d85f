use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::backoff::Backoff;

const POLICY: RetryPolicy = RetryPolicy {
    backoff: Backoff { initial: Duration::from_millis(100), maximum: Duration::from_secs(1) },
    maximum_attempts: Some(3),
    maximum_crashes: Some(3),
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
        crashes: 0,
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

fn broke_off(timed_out: bool) -> Outcome {
    Outcome::BrokeOff { timed_out, problem: "connection reset".into() }
}

fn answer_all(batch: &Batch<u128>, outcome: &Outcome) -> HashMap<Uuid, Outcome> {
    batch.messages.iter().map(|pending| (pending.id, outcome.clone())).collect()
}

/// The next batch, when its time has come.
fn next(scheduler: &mut Scheduler<u128>, now: &mut Instant) -> Batch<u128> {
    loop {
        if let Some(batch) = scheduler.next_batch(*now, WIDE) {
            return batch;
        }
        *now = scheduler.next_wakeup().unwrap();
    }
}

#[test]
fn a_message_that_brings_the_application_down_dies_after_its_trials_and_no_other_does() {
    let mut scheduler = Scheduler::new(POLICY);
    let mut now = Instant::now();
    for number in 0..40 {
        scheduler.push(pending(number, Some(&format!("k{number}"))));
    }
    let (mut died, mut trials, mut down) = (Vec::new(), 0, 0);
    for turn in 0_u64.. {
        assert!(turn < 500, "it comes to an end");
        if scheduler.is_empty() {
            break;
        }
        let batch = next(&mut scheduler, &mut now);
        let outcome = if down > 0 {
            down -= 1;
            Outcome::Outage
        } else if numbers(&batch).contains(&7) {
            // It takes a while to come back.
            down = 2;
            trials += u32::from(batch.trial);
            broke_off(false)
        } else {
            Outcome::Done
        };
        let answer = answer_all(&batch, &outcome);
        let jitter = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for (pending, settled) in scheduler.complete(batch, &answer, now, jitter).settled {
            if let Settled::Dead(reason) = settled {
                died.push((pending.message, reason));
            }
        }
    }
    let [(7, reason)] = died.as_slice() else { panic!("{died:?}") };
    assert!(reason.contains("broke off 3 times while it had only this message"), "{reason}");
    assert!(trials >= 3, "{trials}");
}

#[test]
fn an_application_that_breaks_off_at_everything_is_an_outage() {
    for timed_out in [false, true] {
        let mut scheduler = Scheduler::new(POLICY);
        let mut now = Instant::now();
        for number in 0..10 {
            scheduler.push(pending(number, Some(&format!("k{number}"))));
        }
        for _ in 0..500 {
            let batch = next(&mut scheduler, &mut now);
            let answer = answer_all(&batch, &broke_off(timed_out));
            let completion = scheduler.complete(batch, &answer, now, 0);
            assert!(completion.settled.is_empty());
            assert_ne!(completion.trial.map(|(_, end)| end), Some(TrialEnd::Counted));
        }
        assert_eq!(scheduler.len(), 10);
    }
}

#[test]
fn with_no_other_message_a_lost_connection_counts_and_a_timeout_does_not() {
    for (timed_out, dies) in [(false, true), (true, false)] {
        let mut scheduler = Scheduler::new(POLICY);
        let mut now = Instant::now();
        scheduler.push(pending(1, Some("a")));
        scheduler.push(pending(2, Some("a")));
        let mut died = false;
        for _ in 0..30 {
            let batch = next(&mut scheduler, &mut now);
            if !numbers(&batch).contains(&1) {
                break;
            }
            let answer = answer_all(&batch, &broke_off(timed_out));
            died |= !scheduler.complete(batch, &answer, now, 0).settled.is_empty();
        }
        assert_eq!(died, dies, "timed out: {timed_out}");
    }
}

#[test]
fn a_trial_is_alone_in_flight() {
    let mut scheduler = Scheduler::new(POLICY);
    let now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    let first = scheduler.next_batch(now, WIDE).unwrap();
    // Suspected by a process that has ended since.
    scheduler.push(Pending { crashes: 1, ..pending(2, Some("b")) });
    scheduler.push(pending(3, Some("c")));
    assert!(scheduler.next_batch(now, WIDE).is_none(), "it waits for the first");
    scheduler.complete(first, &outcomes(&[(1, Outcome::Done)]), now, 0);
    let trial = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!((numbers(&trial), trial.trial), (vec![2], true));
    assert!(scheduler.next_batch(now, WIDE).is_none(), "the third waits for it");
    let completion = scheduler.complete(trial, &outcomes(&[(2, Outcome::Done)]), now, 0);
    assert_eq!(completion.trial, Some((Uuid::from_u128(2), TrialEnd::Acquitted)));
    assert_eq!(numbers(&scheduler.next_batch(now, WIDE).unwrap()), [3]);
}

#[test]
fn who_is_tried_while_the_application_is_still_ending_is_not_to_blame() {
    let mut scheduler = Scheduler::new(POLICY);
    let mut now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    let first = scheduler.next_batch(now, WIDE).unwrap();
    for (number, key) in [(2, "b"), (3, "c")] {
        scheduler.push(Pending { crashes: 1, ..pending(number, Some(key)) });
    }
    scheduler.complete(first, &outcomes(&[(1, Outcome::Done)]), now, 0);
    let tried = |scheduler: &mut Scheduler<u128>, now: &mut Instant| {
        let batch = next(scheduler, now);
        assert!(batch.trial);
        let answer = answer_all(&batch, &broke_off(false));
        scheduler.complete(batch, &answer, *now, 0).trial.unwrap()
    };
    assert_eq!(tried(&mut scheduler, &mut now), (Uuid::from_u128(2), TrialEnd::Counted));
    assert_eq!(tried(&mut scheduler, &mut now), (Uuid::from_u128(3), TrialEnd::NotCounted));
    // It is back, and answers for another message.
    scheduler.push(pending(4, Some("d")));
    let batch = scheduler.next_batch(now, WIDE).unwrap();
    assert_eq!(numbers(&batch), [4]);
    scheduler.complete(batch, &outcomes(&[(4, Outcome::Done)]), now, 0);
    assert_eq!(tried(&mut scheduler, &mut now).1, TrialEnd::Counted);
}

#[test]
fn without_a_limit_there_are_no_trials() {
    let mut scheduler = Scheduler::new(RetryPolicy { maximum_crashes: None, ..POLICY });
    let mut now = Instant::now();
    scheduler.push(pending(1, Some("a")));
    for _ in 0..30 {
        let batch = next(&mut scheduler, &mut now);
        assert!(!batch.trial);
        let answer = answer_all(&batch, &broke_off(false));
        assert!(scheduler.complete(batch, &answer, now, 0).settled.is_empty());
    }
}

proptest! {
    /// Whichever messages bring the application down, with however many requests
    /// under way: they die and the others are applied, as long as others come.
    #[test]
    fn only_messages_that_bring_the_application_down_die_of_it(
        keys in prop::collection::vec(prop::option::of(0u8..6), 1..50),
        culprits in prop::collection::hash_set(0usize..50, 0..4),
        batch in 1usize..30,
        concurrent in 1usize..5,
        outage in 0usize..4,
    ) {
        let mut scheduler = Scheduler::new(POLICY);
        let mut now = Instant::now();
        for (number, key) in keys.iter().enumerate() {
            let key = key.map(|key| key.to_string());
            scheduler.push(pending(number as u128, key.as_deref()));
        }
        let is_culprit = |number: u128| culprits.contains(&(number as usize));
        let limit = BatchLimit { messages: batch, bytes: 1_000 };
        let (mut applied, mut died): (Vec<u128>, Vec<u128>) = (Vec::new(), Vec::new());
        let (mut down, mut extra) = (0, 1_000);
        for turn in 0.. {
            prop_assert!(turn < 5_000, "{} are left", scheduler.len());
            if applied.len() + died.len() >= keys.len() && scheduler.is_empty() {
                break;
            }
            if turn % 10 == 9 {
                extra += 1;
                scheduler.push(pending(extra, None));
            }
            let mut in_flight = Vec::new();
            while in_flight.len() < concurrent {
                match scheduler.next_batch(now, limit) {
                    Some(batch) => in_flight.push(batch),
                    None => break,
                }
            }
            if in_flight.is_empty() {
                now = scheduler.next_wakeup().unwrap_or(now);
                continue;
            }
            if let [.., trial] = in_flight.as_slice() {
                prop_assert!(!trial.trial || in_flight.len() == 1, "a trial is alone");
            }
            let crashes = in_flight.iter().any(|batch| numbers(batch).into_iter().any(is_culprit));
            let outcome = match (down, crashes) {
                (0, true) => {
                    down = outage;
                    broke_off(false)
                }
                (0, false) => Outcome::Done,
                _ => {
                    down -= 1;
                    Outcome::Outage
                }
            };
            for batch in in_flight {
                let answer = answer_all(&batch, &outcome);
                for (pending, settled) in scheduler.complete(batch, &answer, now, 0).settled {
                    if pending.message < 1_000 {
                        match settled {
                            Settled::Done => applied.push(pending.message),
                            Settled::Dead(_) => died.push(pending.message),
                        }
                    }
                }
            }
        }
        for number in died {
            prop_assert!(is_culprit(number), "{} is innocent", number);
        }
        for key in keys.iter().flatten().collect::<HashSet<_>>() {
            let order: Vec<_> = applied.iter().filter(|n| keys[**n as usize].as_ref() == Some(key)).collect();
            prop_assert!(order.is_sorted(), "key {}: {:?}", key, order);
        }
    }

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
