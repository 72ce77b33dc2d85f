//! Who may take, keep and give away a bucket's lease, and write its cursor.
//!
//! A lease is three columns of the bucket's cursor row: `owner`, `epoch` and
//! `expires_at`. It ends on the database's clock; the machines' own clocks need
//! not agree. Each takeover raises the epoch, and a cursor is only written by the
//! owner of the epoch in which the rows were read: a relay that lost its lease
//! without noticing writes nothing. `tests/protocol` checks all interleavings of
//! small cases.

use std::collections::BTreeMap;

use crate::share::RelayId;

/// A bucket's lease, as a relay saw it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The bucket.
    pub bucket: i32,
    /// Who holds it, if anybody does.
    pub owner: Option<RelayId>,
    /// How often it was taken.
    pub epoch: i64,
    /// Whether its time was over, on the database's clock.
    pub expired: bool,
}

impl Lease {
    /// Whether any relay may take it. The relay's SQL says the same; its tests
    /// compare the two.
    pub fn may_take(&self) -> bool {
        self.owner.is_none() || self.expired
    }

    /// Whether this relay may write the cursor of what it read in this epoch. As
    /// long as nobody has taken the lease, its time does not matter. The relay's
    /// SQL says the same; its tests compare the two.
    pub fn may_write(&self, relay: RelayId, epoch: i64) -> bool {
        self.owner == Some(relay) && self.epoch == epoch
    }
}

/// What brings a relay's leases closer to its share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Buckets of its share that can be taken now.
    pub take: Vec<i32>,
    /// Buckets of another's share, to be given back as soon as nothing of them is
    /// under way.
    pub hand_back: Vec<i32>,
    /// Buckets of its share that another still holds.
    pub awaited: Vec<i32>,
}

/// Compares a relay's leases with its share.
///
/// Whoever is not among the members, or knows of none, keeps what it has and
/// takes nothing.
pub fn plan(me: RelayId, shares: &BTreeMap<i32, RelayId>, leases: &[Lease]) -> Plan {
    let mut plan = Plan::default();
    for lease in leases {
        let Some(rightful) = shares.get(&lease.bucket) else { continue };
        match (*rightful == me, lease.owner == Some(me)) {
            (true, false) if lease.may_take() => plan.take.push(lease.bucket),
            (true, false) => plan.awaited.push(lease.bucket),
            (false, true) => plan.hand_back.push(lease.bucket),
            (true, true) | (false, false) => {}
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ME: RelayId = Uuid::from_u128(1);
    const OTHER: RelayId = Uuid::from_u128(2);

    fn lease(bucket: i32, owner: Option<RelayId>, expired: bool) -> Lease {
        Lease { bucket, owner, epoch: 7, expired }
    }

    #[test]
    fn only_what_nobody_holds_may_be_taken() {
        assert!(lease(0, None, false).may_take());
        assert!(lease(0, Some(OTHER), true).may_take());
        assert!(!lease(0, Some(OTHER), false).may_take());
    }

    #[test]
    fn only_the_owner_of_the_epoch_may_write() {
        let lease = lease(0, Some(ME), true);
        assert!(lease.may_write(ME, 7), "an expired lease that nobody took is still one's own");
        assert!(!lease.may_write(ME, 6), "taken by another and back again");
        assert!(!lease.may_write(OTHER, 7));
    }

    #[test]
    fn a_relay_takes_its_own_gives_back_anothers_and_leaves_the_rest() {
        let shares = BTreeMap::from([
            (0, ME),
            (1, ME),
            (2, ME),
            (3, ME),
            (4, OTHER),
            (5, OTHER),
            (6, OTHER),
        ]);
        let leases = [
            lease(0, Some(ME), false),
            lease(1, None, false),
            lease(2, Some(OTHER), true),
            lease(3, Some(OTHER), false),
            lease(4, Some(ME), false),
            lease(5, None, false),
            lease(6, Some(OTHER), false),
        ];
        let expected = Plan { take: vec![1, 2], hand_back: vec![4], awaited: vec![3] };
        assert_eq!(plan(ME, &shares, &leases), expected);
    }

    #[test]
    fn without_shares_everything_stays_as_it_is() {
        let leases = [lease(0, Some(ME), false), lease(1, None, false)];
        assert_eq!(plan(ME, &BTreeMap::new(), &leases), Plan::default());
    }
}
