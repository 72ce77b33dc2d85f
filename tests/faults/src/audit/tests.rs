use super::*;

fn id(key: &str, number: i64) -> Uuid {
    let number = u64::try_from(number).unwrap_or_default();
    let key = key.bytes().fold(0_u64, |sum, byte| sum * 256 + u64::from(byte));
    Uuid::from_u64_pair(key, number)
}

fn entry(key: &str, number: i64) -> Entry {
    Entry { id: id(key, number), key: key.to_owned(), number, fate: Fate::Applied }
}

fn record(key: &str, number: i64) -> Record {
    Record { id: id(key, number), key: key.to_owned(), number, partition: 0, offset: 0 }
}

/// Two keys of three rows that went through as they should, and one poison row of each sort.
fn sound() -> Evidence {
    let mut evidence = Evidence::default();
    for key in ["a", "b"] {
        for number in 1..=3 {
            evidence.ledger.push(entry(key, number));
            evidence.published.push(record(key, number));
            evidence.applied.push(id(key, number));
        }
    }
    for (number, fate) in [(4, Fate::Unpublishable), (5, Fate::Rejected)] {
        evidence.ledger.push(Entry { fate, ..entry("a", number) });
    }
    evidence.unpublished.push(id("a", 4));
    evidence.published.push(record("a", 5));
    evidence.rejected.push(id("a", 5));
    evidence
}

/// Makes evidence unsound.
type Change = fn(&mut Evidence);

/// The violations that a change to sound evidence brings.
fn after(change: impl FnOnce(&mut Evidence)) -> Vec<Violation> {
    let mut evidence = sound();
    change(&mut evidence);
    audit(&evidence).violations
}

#[test]
fn sound_evidence_has_no_violations_and_everything_is_counted() {
    let audit = audit(&sound());
    assert_eq!(audit.violations, []);
    assert_eq!((audit.committed, audit.unpublishable, audit.rejected), (8, 1, 1));
    assert_eq!((audit.records, audit.repeated, audit.applied), (7, 0, 6));
}

#[test]
fn a_record_that_repeats_an_earlier_one_is_counted_and_no_violation() {
    let mut evidence = sound();
    // A piece of the past once more, as after a crash.
    evidence.published.extend([record("a", 1), record("a", 2), record("b", 3)]);
    let audit = audit(&evidence);
    assert_eq!(audit.violations, []);
    assert_eq!((audit.records, audit.repeated), (10, 3));
}

#[test]
fn a_row_that_was_never_published_is_lost_once_a_later_one_went_through() {
    let violations = after(|evidence| {
        evidence.published.retain(|record| record.id != id("b", 2));
        evidence.applied.retain(|applied| *applied != id("b", 2));
    });
    let lost = Violation::Lost { id: id("b", 2), key: "b".into(), number: 2, published: false };
    assert_eq!(violations, [lost]);
}

#[test]
fn a_row_that_was_published_and_never_applied_is_lost_too() {
    let violations = after(|evidence| evidence.applied.retain(|applied| *applied != id("b", 1)));
    let lost = Violation::Lost { id: id("b", 1), key: "b".into(), number: 1, published: true };
    assert_eq!(violations, [lost]);
}

#[test]
fn a_key_whose_last_rows_have_not_arrived_is_stuck() {
    let violations = after(|evidence| {
        evidence.applied.retain(|applied| ![id("b", 2), id("b", 3)].contains(applied));
        evidence.published.retain(|record| record.id != id("b", 3));
    });
    let stuck =
        Violation::Stuck { id: id("b", 2), key: "b".into(), number: 2, rows: 2, published: true };
    assert_eq!(violations, [stuck]);
}

#[test]
fn a_first_publication_after_a_later_row_is_out_of_order() {
    let violations = after(|evidence| evidence.published.swap(3, 4));
    let [Violation::OutOfOrder { number: 1, after: 2, place: Place::Topic, .. }] = violations[..]
    else {
        panic!("{violations:?}");
    };
    assert_eq!(violations[0].sort(), Sort::PublishedOutOfOrder);
}

#[test]
fn an_application_after_a_later_row_is_out_of_order() {
    let violations = after(|evidence| evidence.applied.swap(1, 2));
    let [Violation::OutOfOrder { number: 2, after: 3, place: Place::Effects, .. }] = violations[..]
    else {
        panic!("{violations:?}");
    };
    assert_eq!(violations[0].sort(), Sort::AppliedOutOfOrder);
}

#[test]
fn keys_have_no_order_among_each_other() {
    let violations = after(|evidence| {
        evidence.published[..6].rotate_left(3);
        evidence.applied.rotate_left(3);
    });
    assert_eq!(violations, []);
}

#[test]
fn an_effect_that_came_twice_is_seen() {
    let violations = after(|evidence| evidence.applied.push(id("a", 1)));
    let twice = Violation::AppliedTwice { id: id("a", 1), key: "a".into(), number: 1, times: 2 };
    assert_eq!(violations, [twice]);
}

#[test]
fn what_was_rolled_back_must_be_nowhere() {
    let never = id("z", 1);
    let cases: [(Place, Change); 4] = [
        (Place::Topic, |e| e.published.push(record("z", 1))),
        (Place::Effects, |e| e.applied.push(id("z", 1))),
        (Place::OutboxDeadLetters, |e| e.unpublished.push(id("z", 1))),
        (Place::InboxDeadLetters, |e| e.rejected.push(id("z", 1))),
    ];
    for (place, change) in cases {
        assert_eq!(after(change), [Violation::NeverCommitted { id: never, place }]);
    }
}

#[test]
fn a_record_with_another_key_or_content_than_its_row_is_seen() {
    let cases: [Change; 2] = [|e| e.published[5].key = "c".into(), |e| e.published[5].number = 9];
    for change in cases {
        let violations = after(change);
        assert!(matches!(violations[..], [Violation::Altered { .. }]), "{violations:?}");
    }
}

#[test]
fn a_key_in_two_partitions_is_seen() {
    let violations = after(|evidence| evidence.published[1].partition = 1);
    assert_eq!(violations, [Violation::Scattered { key: "a".into(), partitions: (0, 1) }]);
}

#[test]
fn poison_must_be_in_the_dead_letters() {
    let violations = after(|evidence| {
        evidence.ledger.push(entry("a", 6));
        evidence.published.push(record("a", 6));
        evidence.applied.push(id("a", 6));
        evidence.unpublished.clear();
        evidence.rejected.clear();
    });
    let missing = |number| Violation::Unaccounted { id: id("a", number), key: "a".into(), number };
    assert_eq!(violations, [missing(4), missing(5)]);
}

#[test]
fn poison_that_went_through_and_good_rows_among_the_dead_are_seen() {
    let cases: [(Place, Change); 4] = [
        (Place::Topic, |e| e.published.push(record("a", 4))),
        (Place::Effects, |e| e.applied.push(id("a", 5))),
        (Place::OutboxDeadLetters, |e| e.unpublished.push(id("b", 3))),
        (Place::InboxDeadLetters, |e| e.rejected.push(id("b", 3))),
    ];
    for (place, change) in cases {
        let violations = after(change);
        assert!(
            violations.iter().any(
                |found| matches!(found, Violation::Misplaced { place: at, .. } if *at == place)
            ),
            "{place}: {violations:?}"
        );
    }
}

#[test]
fn a_ledger_with_a_gap_is_not_trusted() {
    let violations = after(|evidence| {
        evidence.ledger.retain(|entry| entry.id != id("b", 2));
        evidence.published.retain(|record| record.id != id("b", 2));
        evidence.applied.retain(|applied| *applied != id("b", 2));
    });
    assert_eq!(violations, [Violation::Gap { key: "b".into(), number: 2 }]);
}

#[test]
fn a_process_that_ended_by_itself_is_a_violation() {
    let violations = after(|evidence| evidence.ended.push("relay 1: exit code 1".into()));
    assert_eq!(violations.iter().map(Violation::sort).collect::<Vec<_>>(), [Sort::Ended]);
}

#[test]
fn every_sort_has_a_name_of_its_own() {
    let names: HashSet<_> = Sort::ALL.into_iter().map(Sort::name).collect();
    assert_eq!(names.len(), Sort::ALL.len());
}
