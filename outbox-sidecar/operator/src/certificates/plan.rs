//! When certificates are renewed: a function of what there is and of the time.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long an authority is good for.
pub(super) const AUTHORITY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a serving certificate is good for.
pub(super) const SERVING_LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Certificates are valid from some time before they are made, for clocks that
/// are behind.
pub(super) const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// A new authority signs nothing for this long, if there is another: by then
/// every API server trusts it.
pub(super) const SETTLING: Duration = Duration::from_secs(60 * 60);

/// From when and until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub to: Timestamp,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Authorities whose certificate and key can be used.
    pub authorities: Vec<Validity>,
    /// The serving certificate, if it can be used and has the right names.
    pub serving: Option<Serving>,
}

/// The serving certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serving {
    /// When it is valid.
    pub validity: Validity,
    /// Which of the authorities has signed it.
    pub issuer: usize,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Authorities to leave out, since they have expired.
    pub drop: Vec<usize>,
    /// Whether to make a new authority.
    pub add_authority: bool,
    /// Whether to make a serving certificate, and who signs it.
    pub sign: Option<Signer>,
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// One that is there.
    Present(usize),
    /// The one that is made now.
    New,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

impl Validity {
    fn holds(self, now: Timestamp) -> bool {
        self.from <= now && now < self.to
    }

    /// Whether less than a third of the time is left.
    fn is_ending(self, now: Timestamp) -> bool {
        self.to.duration_since(now) < self.to.duration_since(self.from) / 3
    }

    fn is_settled(self, now: Timestamp) -> bool {
        let made = self.from + SignedDuration::try_from(BACKDATED).unwrap_or_default();
        now.duration_since(made) >= SignedDuration::try_from(SETTLING).unwrap_or_default()
    }
}

/// What is to be done now. Nothing expires if this is asked at least once a
/// day: certificates are renewed when a third of their time is left, and what a
/// new authority signs is served only when everyone trusts it.
pub fn plan(present: &Present, now: Timestamp) -> Plan {
    let all = || present.authorities.iter().enumerate();
    let live = || all().filter(|(_, authority)| authority.holds(now));
    let drop = all().filter(|(_, authority)| authority.to <= now).map(|(index, _)| index).collect();
    let newest = live().max_by_key(|(_, authority)| authority.from);
    let add_authority = newest.is_none_or(|(_, authority)| authority.is_ending(now));
    let good = present.serving.is_some_and(|serving| {
        serving.validity.holds(now)
            && !serving.validity.is_ending(now)
            && live().any(|(index, _)| index == serving.issuer)
    });
    let signer = || {
        live()
            .filter(|(_, authority)| authority.is_settled(now))
            .max_by_key(|(_, authority)| authority.from)
            .or_else(|| live().min_by_key(|(_, authority)| authority.from))
            .map_or(Signer::New, |(index, _)| Signer::Present(index))
    };
    Plan { drop, add_authority, sign: (!good).then(signer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    fn valid(from: i64, to: i64) -> Validity {
        Validity { from: day(from), to: day(to) }
    }

    fn present(authorities: &[Validity], serving: Option<(Validity, usize)>) -> Present {
        Present {
            authorities: authorities.to_vec(),
            serving: serving.map(|(validity, issuer)| Serving { validity, issuer }),
        }
    }

    #[test]
    fn the_first_time_everything_is_made() {
        let plan = plan(&Present::default(), day(0));
        assert_eq!(plan, Plan { drop: vec![], add_authority: true, sign: Some(Signer::New) });
    }

    #[test]
    fn nothing_is_done_while_everything_is_good() {
        let present = present(&[valid(0, 365)], Some((valid(0, 30), 0)));
        assert!(plan(&present, day(1)).is_empty());
        assert!(plan(&present, day(19)).is_empty());
    }

    #[test]
    fn a_serving_certificate_is_renewed_when_a_third_of_its_time_is_left() {
        let present = present(&[valid(0, 365)], Some((valid(0, 30), 0)));
        let plan = plan(&present, day(21));
        assert_eq!(plan, Plan { sign: Some(Signer::Present(0)), ..Plan::default() });
    }

    #[test]
    fn one_that_is_missing_or_signed_by_nobody_known_is_made_anew() {
        let authorities = [valid(0, 365)];
        for serving in
            [None, Some((valid(-40, -10), 0)), Some((valid(5, 35), 0)), Some((valid(0, 30), 7))]
        {
            let plan = plan(&present(&authorities, serving), day(1));
            assert_eq!(plan.sign, Some(Signer::Present(0)), "{serving:?}");
        }
    }

    #[test]
    fn a_new_authority_is_trusted_before_it_signs() {
        // Two thirds of the year are over: a second authority comes, and signs nothing.
        let serving = Some((valid(240, 270), 0));
        let now = day(250);
        let found = plan(&present(&[valid(0, 365)], serving), now);
        assert_eq!(found, Plan { add_authority: true, ..Plan::default() });
        // Right afterwards the first one still signs, an hour later the second.
        let second =
            Validity { from: now - SignedDuration::try_from(BACKDATED).unwrap(), to: day(615) };
        let both = [valid(0, 365), second];
        assert_eq!(plan(&present(&both, None), now).sign, Some(Signer::Present(0)));
        let later = now + SignedDuration::try_from(SETTLING).unwrap();
        assert_eq!(plan(&present(&both, None), later).sign, Some(Signer::Present(1)));
        // What the first one has signed stays good until its renewal.
        assert!(plan(&present(&both, serving), later).is_empty());
    }

    #[test]
    fn an_expired_authority_is_dropped() {
        let present = present(&[valid(0, 365), valid(250, 615)], Some((valid(360, 390), 1)));
        assert_eq!(plan(&present, day(366)), Plan { drop: vec![0], ..Plan::default() });
    }

    #[test]
    fn after_a_year_asleep_everything_is_made_anew() {
        let present = present(&[valid(0, 365)], Some((valid(0, 30), 0)));
        let plan = plan(&present, day(400));
        assert_eq!(plan, Plan { drop: vec![0], add_authority: true, sign: Some(Signer::New) });
    }
}
