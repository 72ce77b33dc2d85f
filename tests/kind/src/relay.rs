//! Relays: their conditions, and what their sidecars say.

use anyhow::{Context as _, ensure};
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod},
    apimachinery::pkg::apis::meta::v1::Condition,
};
use kube::{
    Api, ResourceExt as _,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use outbox_sidecar_core::status::Report;
use serde_json::Value;

use crate::{Namespace, PATIENCE, forward::container_port};

/// The name of the container that the operator adds.
pub const SIDECAR: &str = "outbox-sidecar";

/// The name of that container's port.
const ADMIN_PORT: &str = "outbox-admin";

impl Namespace {
    /// The relays of the namespace.
    pub fn relays(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("outbox-sidecar.dev", "v1alpha1", "Relay");
        let resource = ApiResource::from_gvk_with_plural(&kind, "relays");
        Api::namespaced_with(self.cluster().client(), self.name(), &resource)
    }

    /// Changes a relay by a JSON merge patch.
    ///
    /// # Errors
    /// The API server refuses, with what it says.
    pub async fn change_relay(&self, name: &str, patch: &Value) -> anyhow::Result<()> {
        self.relays().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Waits until a condition of a relay has a status and is about the present
    /// generation; gives the condition.
    ///
    /// # Errors
    /// It takes longer than [`PATIENCE`].
    pub async fn condition(
        &self,
        relay: &str,
        condition: &str,
        status: &str,
    ) -> anyhow::Result<Condition> {
        self.until(&format!("{condition} of {relay} is {status}"), PATIENCE, async || {
            let found = self.relays().get(relay).await?;
            let generation = found.metadata.generation;
            let all = conditions(&found);
            let found = all.into_iter().find(|found| found.type_ == condition);
            let found = found.context("it is not there")?;
            ensure!(found.observed_generation == generation, "it is about an older generation");
            ensure!(found.status == status, "it is {}: {}", found.status, found.message);
            Ok(found)
        })
        .await
    }

    /// Every condition of every relay, with the relay's name.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn all_conditions(&self) -> anyhow::Result<Vec<(String, Condition)>> {
        let relays = self.relays().list(&ListParams::default()).await?;
        let named = |relay: &DynamicObject| {
            let name = relay.name_any();
            conditions(relay)
                .into_iter()
                .map(move |found| (name.clone(), found))
                .collect::<Vec<_>>()
        };
        Ok(relays.iter().flat_map(named).collect())
    }

    /// What the sidecar of a pod says of itself.
    ///
    /// # Errors
    /// It has none, or it does not answer.
    pub async fn report(&self, pod: &Pod) -> anyhow::Result<Report> {
        let port = container_port(pod, ADMIN_PORT).context("the pod has no sidecar")?;
        let forward = self.forward_pod(&pod.name_any(), u16::try_from(port)?).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let answer = http.get(format!("{}/status", forward.url())).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// A container's status, of any kind of container.
pub fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let mut all = init.chain(status.container_statuses.iter().flatten());
    all.find(|container| container.name == name)
}

fn conditions(relay: &DynamicObject) -> Vec<Condition> {
    let conditions = relay.data.pointer("/status/conditions").cloned().unwrap_or_default();
    serde_json::from_value(conditions).unwrap_or_default()
}
