//! One replica leads: it alone writes. Who, stands in a Lease.

use std::time::{Duration, Instant};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

use crate::names::{MANAGED_BY, OPERATOR};

/// How long a leader that is gone is waited for.
const DURATION: Duration = Duration::from_secs(15);

/// How often the leader renews, and others look.
const INTERVAL: Duration = Duration::from_secs(3);

/// A leader that could not renew for this long gives up, well before another
/// may take over.
const GIVE_UP: Duration = Duration::from_secs(10);

/// The leader could not renew its lease, or somebody else has it.
#[derive(Debug, thiserror::Error)]
#[error("the leader's lease is lost: {0}")]
pub struct Lost(String);

/// A candidate.
pub struct Elector {
    leases: Api<Lease>,
    name: String,
    identity: String,
    seen: Option<Seen>,
}

/// The lease as last seen. Whether it runs out is told by this process's own
/// clock, from when it was first seen so.
struct Seen {
    version: Option<String>,
    since: Instant,
}

/// What a candidate does about a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Take,
    Renew,
    Wait,
}

fn decide(spec: &LeaseSpec, identity: &str, unchanged: Duration) -> Decision {
    match spec.holder_identity.as_deref() {
        Some(holder) if holder == identity => Decision::Renew,
        None | Some("") => Decision::Take,
        Some(_) => {
            let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
            let duration = seconds.map_or(DURATION, Duration::from_secs);
            if unchanged >= duration { Decision::Take } else { Decision::Wait }
        }
    }
}

impl Elector {
    /// A candidate with this identity, unique among the replicas.
    pub fn new(client: Client, namespace: &str, name: String, identity: String) -> Self {
        Self { leases: Api::namespaced(client, namespace), name, identity, seen: None }
    }

    /// Waits until this replica leads.
    pub async fn acquire(&mut self) {
        let mut said = None;
        loop {
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(lease = %self.name, "leading");
                    return;
                }
                Ok(false) => said = None,
                Err(error) => {
                    let error = crate::error::chain(&error);
                    if said.as_ref() != Some(&error) {
                        tracing::warn!(%error, lease = %self.name, "lease not read or written");
                        said = Some(error);
                    }
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Keeps leading; ends only when that is no longer certain.
    pub async fn keep(&mut self) -> Lost {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(INTERVAL).await;
            match tokio::time::timeout(GIVE_UP, self.attempt()).await {
                Ok(Ok(true)) => renewed = Instant::now(),
                Ok(Ok(false)) => return Lost("somebody else has it".to_owned()),
                Ok(Err(error)) => {
                    if renewed.elapsed() >= GIVE_UP {
                        return Lost(crate::error::chain(&error));
                    }
                    tracing::warn!(error = %crate::error::chain(&error), "lease not renewed");
                }
                Err(_) => return Lost("the API server does not answer".to_owned()),
            }
        }
    }

    /// Gives the lease back, so that another can take it at once.
    pub async fn release(&mut self) {
        let released = async {
            let Some(mut lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(&self.identity) {
                return Ok(());
            }
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.leases.replace(&self.name, &PostParams::default(), &lease).await.map(drop)
        };
        match released.await {
            Ok(()) => tracing::info!(lease = %self.name, "no longer leading"),
            Err::<_, kube::Error>(error) => tracing::warn!(%error, "lease not given back"),
        }
    }

    /// One look; returns whether this replica leads.
    ///
    /// # Errors
    /// The API server refused or did not answer.
    pub async fn attempt(&mut self) -> Result<bool, kube::Error> {
        let params = PostParams::default();
        let Some(mut lease) = self.leases.get_opt(&self.name).await? else {
            let metadata = ObjectMeta {
                name: Some(self.name.clone()),
                labels: Some([(MANAGED_BY.to_owned(), OPERATOR.to_owned())].into()),
                ..ObjectMeta::default()
            };
            let mut lease = Lease { metadata, spec: Some(LeaseSpec::default()) };
            self.claim(lease.spec.get_or_insert_default(), true);
            return won(self.leases.create(&params, &lease).await);
        };
        let unchanged = self.unchanged(&lease);
        let spec = lease.spec.get_or_insert_default();
        match decide(spec, &self.identity, unchanged) {
            Decision::Wait => return Ok(false),
            Decision::Take => self.claim(spec, true),
            Decision::Renew => self.claim(spec, false),
        }
        // With the resource version that was read: only one of several wins.
        won(self.leases.replace(&self.name, &params, &lease).await)
    }

    /// For how long the lease has been as it is now.
    fn unchanged(&mut self, lease: &Lease) -> Duration {
        let version = &lease.metadata.resource_version;
        match &self.seen {
            Some(seen) if seen.version == *version => seen.since.elapsed(),
            _ => {
                self.seen = Some(Seen { version: version.clone(), since: Instant::now() });
                Duration::ZERO
            }
        }
    }

    fn claim(&self, spec: &mut LeaseSpec, newly: bool) {
        let now = MicroTime(Timestamp::now());
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = Some(now.clone());
        if newly {
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
        }
    }
}

fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        // Another was faster.
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_by(holder: Option<&str>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_when_it_is_free_or_its_holder_has_been_silent_for_its_duration() {
        let after = Duration::from_secs;
        assert_eq!(decide(&held_by(None), "me", after(0)), Decision::Take);
        assert_eq!(decide(&held_by(Some("")), "me", after(0)), Decision::Take);
        assert_eq!(decide(&held_by(Some("me")), "me", after(99)), Decision::Renew);
        assert_eq!(decide(&held_by(Some("other")), "me", after(14)), Decision::Wait);
        assert_eq!(decide(&held_by(Some("other")), "me", after(15)), Decision::Take);
    }
}
