//! How often an identity and an address may ask.

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use kit::Problem;
use kit::settings::ConfigurationError;

use crate::headers::FORWARDED_FOR;
use crate::refusals::{Reason, Refusals};

/// How often what is known of those who have not asked lately is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(5);

/// How often may be asked.
#[derive(clap::Args, Clone, Debug)]
pub struct RateLimitSettings {
    /// Requests a second that one identity may make; 0: as many as it likes.
    #[arg(long, env = "RATE_LIMIT_PER_IDENTITY", default_value_t = 50)]
    pub rate_limit_per_identity: u32,

    /// Requests a second that may come from one address (of IPv6, from one
    /// /64), whoever makes them; 0: as many as it likes.
    #[arg(long, env = "RATE_LIMIT_PER_ADDRESS", default_value_t = 200)]
    pub rate_limit_per_address: u32,

    /// How many seconds' worth of requests may come at once.
    #[arg(long, env = "RATE_LIMIT_BURST_SECONDS", default_value_t = 4)]
    pub rate_limit_burst_seconds: u32,

    /// Identities, and addresses, that are told apart at a time. What comes
    /// beyond them shares one limit.
    #[arg(long, env = "RATE_LIMIT_MAX_TRACKED", default_value_t = 100_000)]
    pub rate_limit_max_tracked: usize,
}

/// Asked too often.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many requests; the next one is welcome in {} s", self.seconds())]
pub(crate) struct Limited {
    wait: Duration,
}

impl Limited {
    /// The wait in whole seconds, which is what `Retry-After` can say.
    fn seconds(self) -> u64 {
        self.wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, limited.to_string())
            .coded("rate_limited")
            .retry_after(limited.seconds())
    }
}

/// The limits of identities and addresses.
#[derive(Debug)]
pub(crate) struct RateLimits {
    identities: Option<Keyed<Arc<str>>>,
    addresses: Option<Keyed<IpAddr>>,
    trust_forwarded: bool,
}

impl RateLimits {
    pub(crate) fn new(
        settings: &RateLimitSettings,
        trust_forwarded: bool,
    ) -> Result<Self, ConfigurationError> {
        if settings.rate_limit_burst_seconds == 0 || settings.rate_limit_max_tracked == 0 {
            return Err(ConfigurationError(
                "--rate-limit-burst-seconds and --rate-limit-max-tracked must be above 0; \
                 a limit of 0 switches a limit off"
                    .to_owned(),
            ));
        }
        Ok(Self {
            identities: Keyed::new(settings.rate_limit_per_identity, settings),
            addresses: Keyed::new(settings.rate_limit_per_address, settings),
            trust_forwarded,
        })
    }

    pub(crate) fn check_identity(&self, subject: &Arc<str>) -> Result<(), Limited> {
        self.identities.as_ref().map_or(Ok(()), |limit| limit.check(subject))
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Limited> {
        self.addresses.as_ref().map_or(Ok(()), |limit| limit.check(&network(address)))
    }

    /// Forgets those who have not asked lately, again and again.
    pub(crate) async fn forget_idle(&self) {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            if let Some(limit) = &self.identities {
                limit.each.retain_recent();
            }
            if let Some(limit) = &self.addresses {
                limit.each.retain_recent();
            }
        }
    }
}

/// Refuses the requests of an address that asks too often, before anything
/// else is done for them.
pub(crate) async fn per_address(
    State((limits, refusals)): State<(Arc<RateLimits>, Refusals)>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let address = peer.map(|peer| origin(peer, request.headers(), limits.trust_forwarded));
    match address.map_or(Ok(()), |address| limits.check_address(address)) {
        Ok(()) => next.run(request).await,
        Err(limited) => {
            refusals.count(Reason::AddressLimit);
            Problem::from(limited).into_response()
        }
    }
}

/// Where a request comes from: the last public address of its way that trusted
/// proxies tell, as what stands before that can be made up; within a private
/// network the first.
fn origin(peer: IpAddr, headers: &HeaderMap, trust_forwarded: bool) -> IpAddr {
    if !trust_forwarded {
        return peer;
    }
    let way: Vec<IpAddr> = headers
        .get_all(&FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|hop| hop.trim().parse().ok())
        .chain([peer])
        .collect();
    let public = way.iter().rev().find(|hop| !is_private(**hop));
    public.or(way.first()).copied().unwrap_or(peer)
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// What counts as one address: a customer has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

/// A limit for each of many, in bounded memory.
#[derive(Debug)]
struct Keyed<K: Hash + Eq + Clone> {
    each: RateLimiter<K, DashMapStateStore<K>, DefaultClock, NoOpMiddleware>,
    /// Of all that there was no more room for.
    others: DefaultDirectRateLimiter,
    max_tracked: usize,
    clock: DefaultClock,
}

impl<K: Hash + Eq + Clone> Keyed<K> {
    /// `None`: no limit.
    fn new(per_second: u32, settings: &RateLimitSettings) -> Option<Self> {
        let burst = NonZeroU32::new(per_second.saturating_mul(settings.rate_limit_burst_seconds))?;
        let quota = Quota::per_second(NonZeroU32::new(per_second)?).allow_burst(burst);
        Some(Self {
            each: RateLimiter::dashmap(quota),
            others: RateLimiter::direct(quota),
            max_tracked: settings.rate_limit_max_tracked,
            clock: DefaultClock::default(),
        })
    }

    fn check(&self, key: &K) -> Result<(), Limited> {
        let checked = if self.each.len() < self.max_tracked {
            self.each.check_key(key)
        } else {
            self.others.check()
        };
        checked.map_err(|until| Limited { wait: until.wait_time_from(self.clock.now()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(per_second: u32, max_tracked: usize) -> RateLimitSettings {
        RateLimitSettings {
            rate_limit_per_identity: per_second,
            rate_limit_per_address: per_second,
            rate_limit_burst_seconds: 1,
            rate_limit_max_tracked: max_tracked,
        }
    }

    #[test]
    fn each_has_a_limit_of_its_own_until_there_is_no_more_room() {
        let limits = RateLimits::new(&settings(1, 3), false).unwrap();
        let subjects: Vec<Arc<str>> =
            (0..9).map(|number| format!("user {number}").into()).collect();
        let admitted = subjects.iter().filter(|who| limits.check_identity(who).is_ok()).count();
        // Three of their own, and one for all the rest.
        assert_eq!(admitted, 4);
        assert_eq!(limits.identities.as_ref().unwrap().each.len(), 3);
    }

    #[test]
    fn a_limit_of_zero_is_none() {
        let limits = RateLimits::new(&settings(0, 1), false).unwrap();
        let who: Arc<str> = "user 1".into();
        assert!((0..1000).all(|_| limits.check_identity(&who).is_ok()));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let limits = RateLimits::new(&settings(1, 100), false).unwrap();
        let ok = |address: &str| limits.check_address(address.parse().unwrap()).is_ok();
        assert!(ok("2001:db8::1"));
        assert!(!ok("2001:db8::2"));
        assert!(ok("2001:db8:0:1::1"));
        assert!(ok("192.0.2.1"));
        assert!(ok("192.0.2.2"));
        assert!(!ok("::ffff:192.0.2.1"));
    }

    #[test]
    fn what_a_client_makes_up_about_its_way_does_not_count() {
        let of = |way: &str, trusted| {
            let mut headers = HeaderMap::new();
            headers.insert(FORWARDED_FOR, way.parse().unwrap());
            origin("10.0.0.1".parse().unwrap(), &headers, trusted).to_string()
        };
        assert_eq!(of("203.0.113.9", false), "10.0.0.1");
        assert_eq!(of("203.0.113.9", true), "203.0.113.9");
        assert_eq!(of("198.51.100.1, 203.0.113.9, 10.0.0.7", true), "203.0.113.9");
        assert_eq!(of("nonsense", true), "10.0.0.1");
        assert_eq!(of("10.0.0.5, 10.0.0.7", true), "10.0.0.5");
    }
}
