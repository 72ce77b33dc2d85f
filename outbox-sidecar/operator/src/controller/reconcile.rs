//! One look at one relay: what it should have is made, what is found is told.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{api::core::v1::ConfigMap, jiff::Timestamp};
use kube::{
    Api, Resource as _, ResourceExt as _,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::{controller::Action, reflector::store::WriterDropped},
};
use outbox_sidecar_core::{backoff::Backoff, config::cluster::Mounted};
use serde_json::json;

use super::{
    config_map::{self, Ownership},
    context::{Context, Key},
    events,
    flow::{Flow, flow},
    injection::injected,
    mounts,
    pods::PodView,
    verdict::{conditions, patient, transitions},
};
use crate::{
    api::{Reason, Relay, RelayStatus, Verdict, merge},
    inject::{Sidecar, Wanted},
    names::{self, FIELD_MANAGER, GROUP, KIND, VERSION},
    yaml::YamlError,
};

/// How often a relay without pods is looked at; a pod that comes is noticed at once.
const QUIET_INTERVAL: Duration = Duration::from_secs(60);

/// Waits after looks that failed, for each relay on its own.
const BACKOFF: Backoff =
    Backoff { initial: Duration::from_secs(1), maximum: Duration::from_secs(5 * 60) };

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The API server did not do what it was asked.
    #[error("{what}: {error}")]
    Api {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        #[source]
        error: kube::Error,
    },
    /// A configuration cannot be written.
    #[error("configuration not rendered: {0}")]
    Render(#[from] YamlError),
    /// The watch of pods has ended.
    #[error("the watch of pods has ended")]
    Pods(#[from] WriterDropped),
}

impl ReconcileError {
    fn class(&self) -> &'static str {
        match self {
            Self::Api { error, .. } => crate::error::class(error),
            Self::Render(_) | Self::Pods(_) => "internal",
        }
    }
}

/// For [`Result::map_err`].
fn api(what: &'static str) -> impl FnOnce(kube::Error) -> ReconcileError {
    move |error| ReconcileError::Api { what, error }
}

/// Looks at a relay, and says when to look again.
///
/// # Errors
/// The API server refused something or did not answer.
pub async fn reconcile(
    relay: Arc<DeserializeGuard<Relay>>,
    context: Arc<Context>,
) -> Result<Action, ReconcileError> {
    let begun = std::time::Instant::now();
    let (namespace, name) = (relay.namespace().unwrap_or_default(), relay.name_any());
    let result = look(&(namespace, name), &context).await;
    let class = result.as_ref().err().map(ReconcileError::class);
    context.metrics.reconciled(class, begun.elapsed());
    result
}

/// What follows an error: a wait that doubles each time.
pub fn on_error(
    relay: Arc<DeserializeGuard<Relay>>,
    error: &ReconcileError,
    context: Arc<Context>,
) -> Action {
    let (namespace, name) = (relay.namespace().unwrap_or_default(), relay.name_any());
    let failures = context.memory.with(&(namespace.clone(), name.clone()), |remembered| {
        remembered.failures = remembered.failures.saturating_add(1);
        remembered.failures
    });
    let wait = BACKOFF.delay(failures, uuid::Uuid::new_v4().as_u64_pair().0);
    let error = crate::error::chain(error);
    tracing::warn!(%namespace, relay = %name, %error, failures, ?wait, "look at a relay failed");
    Action::requeue(wait)
}

async fn look(key: &Key, context: &Context) -> Result<Action, ReconcileError> {
    let (namespace, name) = key;
    // Fresh, and not from the watch: the conditions that are built upon must be
    // those written last.
    let relays = Api::<DeserializeGuard<Relay>>::namespaced(context.client.clone(), namespace);
    let relay = match relays.get_opt(name).await.map_err(api("relay not read"))? {
        None => {
            context.memory.forget(key, &context.metrics);
            return Ok(Action::await_change());
        }
        Some(DeserializeGuard(Ok(relay))) => relay,
        Some(unreadable) => {
            if let DeserializeGuard(Err(problem)) = &unreadable
                && context.memory.unreadable(key, &context.metrics)
            {
                tracing::error!(%namespace, relay = %name, error = %problem.error, "relay cannot be read");
                let regarding = unreadable.object_ref(&());
                events::unreadable(&context.recorder, &regarding, &problem.error).await;
            }
            return Ok(Action::requeue(QUIET_INTERVAL));
        }
    };
    if relay.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let (effective, problem) = configure(context, &relay).await?;
    let pods = context.pods_of(namespace, name).await?;
    let status = judge(context, key, &relay, effective.as_ref(), problem, &pods).await;
    if let Err(error) = context.pod_monitors.ensure(&context.client, &relay).await {
        tracing::warn!(%namespace, relay = %name, error = %crate::error::chain(&error), "PodMonitor not made");
    }
    write(context, &relay, &status).await?;
    context.memory.found(key, &status.conditions, &context.metrics);
    Ok(Action::requeue(if pods.is_empty() { QUIET_INTERVAL } else { context.interval }))
}

/// Renders the `ConfigMap` if it can be, and returns the configuration that
/// sidecars run with, and what is wrong.
async fn configure(
    context: &Context,
    relay: &Relay,
) -> Result<(Option<Mounted>, Option<Verdict>), ReconcileError> {
    let namespace = relay.namespace().unwrap_or_default();
    let maps = Api::<ConfigMap>::namespaced(context.client.clone(), &namespace);
    let name = names::config_map(&relay.name_any());
    let found = maps.get_opt(&name).await.map_err(api("ConfigMap not read"))?;
    let ownership = found.as_ref().map_or(Ownership::Own, |map| config_map::ownership(map, relay));
    let mounted = match relay.spec.mounted() {
        Ok(mounted) => mounted,
        Err(problem) => {
            let last = found.as_ref().filter(|_| ownership == Ownership::Own);
            let last = last.and_then(config_map::last_valid_spec).and_then(|s| s.mounted().ok());
            let goes_on = if last.is_some() {
                "the last valid configuration stays in use"
            } else {
                "there is no earlier valid configuration"
            };
            let verdict = Verdict::no(Reason::InvalidSpec, format!("{problem}; {goes_on}"));
            return Ok((last, Some(verdict)));
        }
    };
    let conflict = match ownership {
        Ownership::Own | Ownership::Orphaned => None,
        Ownership::Predecessor => {
            Some(format!("ConfigMap {name} is of a deleted Relay of this name, and about to go"))
        }
        Ownership::Foreign => Some(format!(
            "ConfigMap {name} exists and is not this Relay's; delete it, or give the Relay another name"
        )),
    };
    if let Some(conflict) = conflict {
        return Ok((Some(mounted), Some(Verdict::no(Reason::ConfigMapConflict, conflict))));
    }
    let data = config_map::data(&relay.spec, &mounted)?;
    let current = found
        .as_ref()
        .is_some_and(|map| ownership == Ownership::Own && config_map::is_current(map, &data));
    if !current {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        maps.patch(&name, &params, &Patch::Apply(config_map::object(relay, &data)))
            .await
            .map_err(api("ConfigMap not written"))?;
        tracing::info!(%namespace, relay = %relay.name_any(), config_map = %name, "configuration written");
    }
    Ok((Some(mounted), None))
}

/// Finds out what there is to be told.
async fn judge(
    context: &Context,
    key: &Key,
    relay: &Relay,
    effective: Option<&Mounted>,
    problem: Option<Verdict>,
    pods: &[PodView],
) -> RelayStatus {
    let name = &key.1;
    let injected = injected(name, pods, |pod| {
        let wanted = Wanted { relay: name, mounted: effective? };
        Some(Sidecar::new(&pod.annotations, wanted, &context.defaults).fingerprint)
    });
    let found = match effective {
        Some(mounted) => {
            let mut observed = context.poll.observe(pods).await;
            mounts::explain(&context.client, &key.0, &mut observed).await;
            flow(&mounted.config, &observed, &injected.verdict)
        }
        None => {
            let nothing = Verdict::no(Reason::InvalidSpec, "there is no valid configuration");
            Flow { outbox: nothing.clone(), inbox: nothing, configuration: None }
        }
    };
    let previous = relay.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let found =
        context.memory.with(key, |remembered| patient(previous, found, &mut remembered.suspicions));
    report_missing(context, key, injected.missing.iter().map(|index| &pods[*index])).await;
    let generation = relay.metadata.generation;
    let verdicts = conditions(problem, &injected, found);
    RelayStatus {
        observed_generation: generation,
        conditions: merge(previous, &verdicts, generation, Timestamp::now()),
        pods: injected.counts,
    }
}

/// Tells the owners of pods without a sidecar, once for each pod.
async fn report_missing<'a>(
    context: &Context,
    key: &Key,
    missing: impl Iterator<Item = &'a PodView>,
) {
    let missing: Vec<_> = missing.collect();
    let new: Vec<_> = context.memory.with(key, |remembered| {
        remembered.reported.retain(|uid| missing.iter().any(|pod| pod.uid == *uid));
        missing.iter().filter(|pod| remembered.reported.insert(pod.uid.clone())).collect()
    });
    for pod in new {
        events::missing_sidecar(&context.recorder, pod).await;
    }
}

/// Writes the status if it differs from what stands there, and tells what has
/// changed.
async fn write(
    context: &Context,
    relay: &Relay,
    status: &RelayStatus,
) -> Result<(), ReconcileError> {
    if relay.status.as_ref() == Some(status) {
        return Ok(());
    }
    let (namespace, name) = (relay.namespace().unwrap_or_default(), relay.name_any());
    let relays = Api::<Relay>::namespaced(context.client.clone(), &namespace);
    let applied = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": KIND,
        "metadata": { "name": name, "namespace": namespace },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    relays
        .patch_status(&name, &params, &Patch::Apply(applied))
        .await
        .map_err(api("status not written"))?;
    let previous = relay.status.as_ref().map_or(&[][..], |status| &status.conditions);
    for condition in transitions(previous, &status.conditions) {
        let (kind, state, reason) = (&condition.type_, &condition.status, &condition.reason);
        tracing::info!(%namespace, relay = %name, condition = %kind, status = %state, %reason, detail = %condition.message, "condition changed");
        events::transition(&context.recorder, &relay.object_ref(&()), condition).await;
    }
    Ok(())
}
