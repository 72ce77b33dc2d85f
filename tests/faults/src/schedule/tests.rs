use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

fn shape(length: Length) -> Shape {
    Shape { relays: 3, lease: Duration::from_secs(2), gap: Duration::from_secs(4), length }
}

#[test]
fn thirty_minutes_have_more_than_200_faults_of_every_kind() {
    let faults = schedule(1, &shape(Length::Time(Duration::from_secs(30 * 60))));
    assert!(faults.len() > 400, "{}", faults.len());
    let mut by_kind: HashMap<Kind, usize> = HashMap::new();
    for timed in &faults {
        *by_kind.entry(timed.fault.kind).or_default() += 1;
    }
    assert_eq!(by_kind.len(), Kind::ALL.len());
    let (least, most) = (by_kind.values().min(), by_kind.values().max());
    assert!(most.zip(least).is_some_and(|(most, least)| most - least <= 1), "{by_kind:?}");
}

#[test]
fn another_seed_is_another_schedule() {
    let shape = shape(Length::Faults(50));
    assert_ne!(schedule(1, &shape), schedule(2, &shape));
}

#[test]
fn a_longer_schedule_begins_with_the_shorter_one() {
    let short = schedule(7, &shape(Length::Faults(20)));
    let long = schedule(7, &shape(Length::Faults(60)));
    assert_eq!(long[..20], short[..]);
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    let names: HashSet<_> = Kind::ALL.into_iter().map(Kind::name).collect();
    assert_eq!(names.len(), Kind::ALL.len());
}

proptest! {
    #[test]
    fn a_seed_always_gives_the_same_faults_in_order_and_in_bounds(
        seed: u64, relays in 1..6_usize, count in 0..100_usize, lease in 1_000..6_000_u64,
    ) {
        let lease = Duration::from_millis(lease);
        let shape = Shape { relays, lease, ..shape(Length::Faults(count)) };
        let faults = schedule(seed, &shape);
        prop_assert_eq!(&faults, &schedule(seed, &shape));
        prop_assert_eq!(faults.len(), count);
        prop_assert!(faults.is_sorted_by_key(|timed| timed.at));
        for Timed { fault, .. } in &faults {
            prop_assert!(fault.relay < relays);
            prop_assert!(matches!(fault.link, Link::Application)
                || matches!(fault.link, Link::Relay(relay) if relay < relays));
            prop_assert!(fault.lasts <= Duration::from_secs(30));
            if matches!(fault.kind, Kind::RelayPaused | Kind::DatabaseStalled) {
                prop_assert!(fault.lasts > lease, "{}", fault);
            }
        }
        let dealt: HashSet<_> = faults.iter().map(|timed| timed.fault.kind).collect();
        prop_assert_eq!(dealt.len(), count.min(Kind::ALL.len()));
    }
}
