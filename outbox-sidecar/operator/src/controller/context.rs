//! What looks at relays share.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Client, ResourceExt as _,
    core::DeserializeGuard,
    runtime::{
        events::Recorder,
        reflector::{Store, store::WriterDropped},
    },
};

use super::{
    pod_monitor::PodMonitors,
    pods::{PodView, relay_of},
    poll::Poll,
    verdict::Suspicions,
};
use crate::{
    api::{Condition, ConditionType, Relay, State},
    inject::Defaults,
    metrics::Metrics,
};

/// What looks at relays share.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What a sidecar is injected with now.
    pub defaults: Defaults,
    /// Asks sidecars.
    pub poll: Poll,
    /// Writes Events.
    pub recorder: Recorder,
    /// Makes PodMonitors, where they are known.
    pub pod_monitors: PodMonitors,
    /// What is counted.
    pub metrics: Metrics,
    /// How often a relay with pods is looked at.
    pub interval: Duration,
    /// The pods that ask for relays, by watched scope.
    pub pods: Vec<Store<Pod>>,
    /// What is remembered of each relay.
    pub memory: Memory,
}

impl Context {
    /// A relay is gone.
    pub(super) fn forget(&self, relay: &DeserializeGuard<Relay>) {
        let key = (relay.namespace().unwrap_or_default(), relay.name_any());
        self.memory.forget(&key, &self.metrics);
    }

    /// The pods that ask for a relay, in the order of their names.
    ///
    /// # Errors
    /// The watch of pods has ended, as it does when the process stops.
    pub async fn pods_of(
        &self,
        namespace: &str,
        relay: &str,
    ) -> Result<Vec<PodView>, WriterDropped> {
        let mut pods = Vec::new();
        for store in &self.pods {
            store.wait_until_ready().await?;
            let asks = |pod: &Pod| {
                pod.namespace().as_deref() == Some(namespace) && relay_of(pod) == Some(relay)
            };
            pods.extend(store.state_filter(asks).iter().filter_map(|pod| PodView::read(pod)));
        }
        pods.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(pods)
    }
}

/// What is remembered between looks; nothing of it is missed after a restart.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<Key, Remembered>>);

/// Namespace and name.
pub(super) type Key = (String, String);

/// What is remembered of a relay.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Looks that failed, one after the other.
    pub failures: u32,
    /// Trouble seen once.
    pub suspicions: Suspicions,
    /// Pods whose missing sidecar was told to their owner.
    pub reported: BTreeSet<String>,
    /// The state of each condition, for metrics.
    states: BTreeMap<String, String>,
    /// Whether the object cannot be read.
    unreadable: bool,
}

impl Memory {
    /// Changes what is remembered of a relay.
    pub fn with<T>(&self, key: &Key, change: impl FnOnce(&mut Remembered) -> T) -> T {
        change(self.lock().entry(key.clone()).or_default())
    }

    /// A relay is gone.
    pub fn forget(&self, key: &Key, metrics: &Metrics) {
        self.lock().remove(key);
        self.count(metrics);
    }

    /// The object cannot be read; returns whether that is new.
    pub fn unreadable(&self, key: &Key, metrics: &Metrics) -> bool {
        let new = self.with(key, |remembered| {
            remembered.states.clear();
            !std::mem::replace(&mut remembered.unreadable, true)
        });
        self.count(metrics);
        new
    }

    /// A relay's conditions were found.
    pub fn found(&self, key: &Key, conditions: &[Condition], metrics: &Metrics) {
        let states = conditions.iter().map(|c| (c.type_.clone(), c.status.clone()));
        self.with(key, |remembered| {
            remembered.states = states.collect();
            remembered.unreadable = false;
            remembered.failures = 0;
        });
        self.count(metrics);
    }

    fn count(&self, metrics: &Metrics) {
        let memory = self.lock();
        metrics.unreadable(memory.values().filter(|remembered| remembered.unreadable).count());
        let kinds = [
            ConditionType::Ready,
            ConditionType::Injected,
            ConditionType::OutboxFlowing,
            ConditionType::InboxFlowing,
        ];
        for kind in kinds.map(ConditionType::name) {
            for state in [State::True, State::False, State::Unknown].map(State::name) {
                let is = |remembered: &&Remembered| {
                    remembered.states.get(kind).is_some_and(|found| found == state)
                };
                metrics.relays(kind, state, memory.values().filter(is).count());
            }
        }
    }

    /// Plain data: what a panicking thread left is still good.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Remembered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
