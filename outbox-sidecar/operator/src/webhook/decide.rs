//! What becomes of one pod.

use std::time::{Duration, Instant};

use json_patch::Patch;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use outbox_sidecar_core::config::cluster::Mounted;
use tokio::sync::Semaphore;

use super::review::Request;
use crate::{
    api::Relay,
    controller::config_map,
    inject::{Defaults, Injection, Skip, Wanted, inject, requested},
    metrics::Metrics,
    names,
};

/// How often a relay that is not there yet is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Pods that wait for their relay at a time; more do not wait.
const WAITING: usize = 64;

/// Decides about pods.
pub struct Webhook {
    client: Client,
    defaults: Defaults,
    /// Empty: all.
    namespaces: Vec<String>,
    waiting: Semaphore,
    pub(super) metrics: Metrics,
}

/// What becomes of a pod.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) patch: Option<Patch>,
    pub(super) warnings: Vec<String>,
    /// For metrics: why it is as it is.
    pub(super) reason: &'static str,
}

impl Decision {
    fn unchanged(reason: &'static str, warning: Option<String>) -> Self {
        Self { patch: None, warnings: warning.into_iter().collect(), reason }
    }
}

impl Webhook {
    /// For pods of these namespaces; none named: of all.
    pub fn new(
        client: Client,
        defaults: Defaults,
        namespaces: Vec<String>,
        metrics: Metrics,
    ) -> Self {
        Self { client, defaults, namespaces, waiting: Semaphore::new(WAITING), metrics }
    }

    /// Decides within `patience`, as far as it depends on a relay's coming.
    ///
    /// # Errors
    /// The API server refused or did not answer.
    pub(super) async fn decide(
        &self,
        request: &Request,
        patience: Duration,
    ) -> Result<Decision, kube::Error> {
        let subresource = request.sub_resource.as_deref().is_some_and(|name| !name.is_empty());
        if request.kind.kind != "Pod" || request.operation != "CREATE" || subresource {
            return Ok(Decision::unchanged("not_a_new_pod", None));
        }
        let pod = &request.object;
        let relay = match requested(&pod["metadata"]) {
            None => return Ok(Decision::unchanged("not_requested", None)),
            Some(Err(problem)) => {
                let warning = format!("no outbox sidecar: {problem}");
                return Ok(Decision::unchanged("bad_annotation", Some(warning)));
            }
            Some(Ok(relay)) => relay,
        };
        let namespace = request.namespace.as_deref().unwrap_or_default();
        if !self.namespaces.is_empty() && !self.namespaces.iter().any(|n| n == namespace) {
            let warning =
                format!("no outbox sidecar: the operator does not watch the namespace {namespace}");
            return Ok(Decision::unchanged("namespace_not_watched", Some(warning)));
        }
        let Some(found) = self.wait_for(namespace, relay, patience).await? else {
            let warning = format!(
                "no outbox sidecar: there is no Relay {relay} in the namespace {namespace}; create it, then create the pod anew"
            );
            return Ok(Decision::unchanged("relay_not_found", Some(warning)));
        };
        let (mounted, mut warnings) = match found.spec.mounted() {
            Ok(mounted) => (mounted, Vec::new()),
            Err(problem) => match self.last_valid(namespace, relay, &found).await? {
                Some(mounted) => {
                    let warning = format!(
                        "the Relay {relay} is not valid ({problem}); its last valid configuration is used"
                    );
                    (mounted, vec![warning])
                }
                None => {
                    let warning =
                        format!("no outbox sidecar: the Relay {relay} is not valid: {problem}");
                    return Ok(Decision::unchanged("relay_invalid", Some(warning)));
                }
            },
        };
        Ok(match inject(pod, Wanted { relay, mounted: &mounted }, &self.defaults) {
            Injection::Patched { patch, warnings: more } => {
                let reason = if warnings.is_empty() { "requested" } else { "last_valid_relay" };
                warnings.extend(more);
                Decision { patch: Some(patch), warnings, reason }
            }
            Injection::Skipped(skip) => {
                let reason = match skip {
                    Skip::AlreadyInjected => "already_injected",
                    Skip::VolumeNameTaken => "volume_name_taken",
                    Skip::Windows => "windows",
                };
                Decision::unchanged(reason, skip.warning())
            }
        })
    }

    /// The relay, as the API server has it. One that is not there may be about
    /// to come: `helm install` makes Deployments before custom resources.
    async fn wait_for(
        &self,
        namespace: &str,
        name: &str,
        patience: Duration,
    ) -> Result<Option<Relay>, kube::Error> {
        let relays = Api::<Relay>::namespaced(self.client.clone(), namespace);
        let begun = Instant::now();
        let mut permit = None;
        loop {
            let found = relays.get_opt(name).await?;
            if found.is_some() || begun.elapsed() + LOOK_AGAIN > patience {
                return Ok(found);
            }
            if permit.is_none() {
                let Ok(granted) = self.waiting.try_acquire() else { return Ok(None) };
                permit = Some(granted);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn last_valid(
        &self,
        namespace: &str,
        name: &str,
        relay: &Relay,
    ) -> Result<Option<Mounted>, kube::Error> {
        let maps = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        let map = maps.get_opt(&names::config_map(name)).await?;
        let map = map.filter(|map| config_map::ownership(map, relay) == config_map::Ownership::Own);
        let spec = map.as_ref().and_then(config_map::last_valid_spec);
        Ok(spec.and_then(|spec| spec.mounted().ok()))
    }
}
