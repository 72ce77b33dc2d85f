//! Which relay shall publish which bucket.
//!
//! Every relay works it out for itself, from the same list of live relays, and
//! comes to the same result: rendezvous hashing, with a bound on the load.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

/// A run of a relay: a random id, drawn anew whenever it starts.
pub type RelayId = Uuid;

/// Shares the buckets `0..buckets` out among the members.
///
/// Each bucket goes to one member, and no two members differ by more than one
/// bucket. When a member comes or goes, few buckets move between the others.
/// Without a member nobody gets anything.
///
/// Every pair of a bucket and a member has a weight, and the heaviest pairs are
/// served first: plain rendezvous hashing, but that a member who has its share
/// is passed over.
pub fn share_out(buckets: u16, members: &BTreeSet<RelayId>) -> BTreeMap<i32, RelayId> {
    let mut shares = BTreeMap::new();
    let Some(least) = usize::from(buckets).checked_div(members.len()) else { return shares };
    // So many members have one bucket more than the others.
    let mut with_one_more = usize::from(buckets) % members.len();
    let mut pairs: Vec<_> = (0..i32::from(buckets))
        .flat_map(|bucket| {
            members.iter().map(move |relay| (weight(bucket, *relay), bucket, *relay))
        })
        .collect();
    pairs.sort_unstable_by(|a, b| b.cmp(a));
    let mut loads: BTreeMap<RelayId, usize> = BTreeMap::new();
    for (_, bucket, relay) in pairs {
        let load = loads.entry(relay).or_default();
        let full = *load > least || (*load == least && with_one_more == 0);
        if full || shares.contains_key(&bucket) {
            continue;
        }
        if *load == least {
            with_one_more -= 1;
        }
        *load += 1;
        shares.insert(bucket, relay);
    }
    shares
}

/// A number as good as random, the same everywhere and in every version.
fn weight(bucket: i32, relay: RelayId) -> u64 {
    let (high, low) = relay.as_u64_pair();
    mixed(mixed(mixed(high) ^ low) ^ u64::from(bucket.unsigned_abs()))
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014): each bit of the input changes half of
/// those of the output.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn members() -> impl Strategy<Value = BTreeSet<RelayId>> {
        btree_set(any::<u128>().prop_map(Uuid::from_u128), 1..12)
    }

    proptest! {
        #[test]
        fn every_bucket_has_one_owner_and_loads_differ_by_at_most_one(buckets in 1u16..64, members in members()) {
            let shares = share_out(buckets, &members);
            prop_assert!(shares.keys().copied().eq(0..i32::from(buckets)));
            let loads = members.iter().map(|member| shares.values().filter(|owner| *owner == member).count());
            let (least, most) = (loads.clone().min().unwrap(), loads.max().unwrap());
            prop_assert!(most - least <= 1, "from {} to {}", least, most);
        }

        #[test]
        fn a_member_that_leaves_and_comes_back_finds_everything_as_it_was(buckets in 1u16..64, members in members()) {
            let before = share_out(buckets, &members);
            let mut others = members.clone();
            others.pop_first();
            share_out(buckets, &others);
            prop_assert_eq!(share_out(buckets, &members), before);
        }
    }

    #[test]
    fn nobody_there_gets_nothing() {
        assert_eq!(share_out(8, &BTreeSet::new()), BTreeMap::new());
    }

    /// A pinned result: relays of two versions that run side by side must agree.
    #[test]
    fn the_result_never_changes() {
        let members: BTreeSet<_> = (1..=3).map(Uuid::from_u128).collect();
        let owners: Vec<_> = share_out(8, &members).values().map(Uuid::as_u128).collect();
        assert_eq!(owners, PINNED);
    }

    const PINNED: [u128; 8] = [2, 3, 1, 2, 1, 1, 2, 3];

    /// Moves that are not needed: between two members who both stay.
    #[test]
    fn few_buckets_move_between_those_who_stay() {
        let (mut needed, mut moved) = (0, 0);
        for trial in 0..200_u64 {
            let drawn = (0..6).map(|n| Uuid::from_u64_pair(mixed(trial * 6 + n), trial));
            let members: BTreeSet<_> = drawn.collect();
            let before = share_out(48, &members);
            for gone in &members {
                let rest: BTreeSet<_> =
                    members.iter().filter(|one| *one != gone).copied().collect();
                let after = share_out(48, &rest);
                needed += before.values().filter(|owner| *owner == gone).count();
                moved += before
                    .iter()
                    .filter(|(bucket, owner)| *owner != gone && after[bucket] != **owner)
                    .count();
            }
        }
        assert!(moved < needed, "{moved} beside the {needed} that had to");
    }
}
