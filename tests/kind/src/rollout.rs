//! Workloads: whether they are as they were asked to be, and changing them.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    core::v1::Pod,
};
use kube::{
    Resource, ResourceExt as _,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{Namespace, PATIENCE};

impl Namespace {
    /// Sets the number of a Deployment's pods and waits for it.
    ///
    /// # Errors
    /// There is no such Deployment, or it takes longer than [`PATIENCE`].
    pub async fn scale(&self, deployment: &str, replicas: i32) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
        let api = self.api::<Deployment>();
        api.patch_scale(deployment, &PatchParams::default(), &patch).await?;
        self.until(&format!("{deployment} has {replicas} pods"), PATIENCE, async || {
            let found = api.get(deployment).await?;
            rolled_out(&found)?;
            let pods = self.pods_of(&found).await?;
            ensure!(pods == usize::try_from(replicas)?, "there are {pods}");
            Ok(())
        })
        .await
    }

    /// Waits until every Deployment and StatefulSet has all its pods, as they
    /// are asked for now, and no others, not even such as are being stopped.
    ///
    /// # Errors
    /// It takes longer than [`PATIENCE`].
    pub async fn settled(&self) -> anyhow::Result<()> {
        let all = ListParams::default();
        self.until("all workloads are as asked for", PATIENCE, async || {
            for found in self.api::<Deployment>().list(&all).await? {
                rolled_out(&found)?;
            }
            for found in self.api::<StatefulSet>().list(&all).await? {
                stateful_rolled_out(&found)?;
            }
            for found in self.api::<Pod>().list(&all).await? {
                let stays = found.metadata.deletion_timestamp.is_none();
                ensure!(stays, "{} is being stopped", found.name_any());
            }
            Ok(())
        })
        .await
    }

    /// Replaces the pod of a StatefulSet, as `kubectl rollout restart` does, and
    /// waits for the new one.
    ///
    /// # Errors
    /// There is no such StatefulSet, or it takes longer than [`PATIENCE`].
    pub async fn restart(&self, stateful_set: &str) -> anyhow::Result<()> {
        let api = self.api::<StatefulSet>();
        api.restart(stateful_set).await?;
        self.until(&format!("{stateful_set} has restarted"), PATIENCE, async || {
            stateful_rolled_out(&api.get(stateful_set).await?)
        })
        .await
    }

    /// Pods of a Deployment, those being deleted too.
    async fn pods_of(&self, deployment: &Deployment) -> anyhow::Result<usize> {
        let spec = deployment.spec.as_ref().context("no spec")?;
        let labels = spec.selector.match_labels.iter().flatten();
        let selector: Vec<_> = labels.map(|(key, value)| format!("{key}={value}")).collect();
        let selected = ListParams::default().labels(&selector.join(","));
        Ok(self.api::<Pod>().list(&selected).await?.items.len())
    }
}

fn rolled_out(deployment: &Deployment) -> anyhow::Result<()> {
    let (name, wanted) = (deployment.name_any(), deployment.spec.as_ref().and_then(|s| s.replicas));
    let status = deployment.status.clone().unwrap_or_default();
    ensure!(
        status.observed_generation >= deployment.meta().generation,
        "{name} has not been looked at"
    );
    let counts = [status.replicas, status.updated_replicas, status.available_replicas];
    let wanted = wanted.unwrap_or(1);
    ensure!(
        counts.iter().all(|count| count.unwrap_or(0) == wanted),
        "{name} has (all, of the new revision, available) {counts:?} pods, not {wanted}"
    );
    Ok(())
}

fn stateful_rolled_out(set: &StatefulSet) -> anyhow::Result<()> {
    let (name, wanted) = (set.name_any(), set.spec.as_ref().and_then(|spec| spec.replicas));
    let status = set.status.clone().unwrap_or_default();
    ensure!(status.observed_generation >= set.meta().generation, "{name} has not been looked at");
    let wanted = wanted.unwrap_or(1);
    let counts = [status.updated_replicas, status.ready_replicas];
    ensure!(
        status.update_revision == status.current_revision
            && status.replicas == wanted
            && counts.iter().all(|count| count.unwrap_or(0) == wanted),
        "{name} has (of the new revision, ready) {counts:?} pods, not {wanted}"
    );
    Ok(())
}
