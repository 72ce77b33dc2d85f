//! What goes wrong in a cluster, done on purpose.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, EvictParams},
};
use tokio::process::Command;

use crate::{Namespace, PATIENCE, namespace::is_ready, relay::container};

impl Namespace {
    /// Deletes pods that a label selector names, all at once, and waits until
    /// everything has settled.
    ///
    /// # Errors
    /// There are none, or it takes longer than [`PATIENCE`].
    pub async fn delete_pods(&self, selector: &str) -> anyhow::Result<()> {
        let pods = self.pods(selector).await?;
        ensure!(!pods.is_empty(), "there are no pods {selector}");
        for pod in &pods {
            self.api::<Pod>().delete(&pod.name_any(), &DeleteParams::default()).await?;
        }
        self.gone(&pods).await?;
        self.settled().await
    }

    /// `kill -9` of a container's first process, in each pod that a label
    /// selector names; waits until it runs again and the pod is ready.
    ///
    /// # Errors
    /// There is no such container, no docker, or it does not come back within
    /// [`PATIENCE`].
    pub async fn kill(&self, selector: &str, name: &str) -> anyhow::Result<()> {
        let pods = self.pods(selector).await?;
        ensure!(!pods.is_empty(), "there are no pods {selector}");
        for pod in pods {
            let (pod_name, restarts) = (pod.name_any(), restarts(&pod, name)?);
            kill_container(&pod, name).await?;
            self.until(&format!("{name} of {pod_name} has restarted"), PATIENCE, async || {
                let pod = self.api::<Pod>().get(&pod_name).await?;
                ensure!(self::restarts(&pod, name)? > restarts, "it has not been restarted");
                ensure!(is_ready(&pod), "the pod is not ready");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// What `kubectl drain` does to the pods of this namespace: no node that has
    /// one takes new pods, and each pod is evicted as soon as its disruption
    /// budget allows. Then the nodes take pods again; waits until everything has
    /// settled.
    ///
    /// # Errors
    /// A pod is not evicted, or does not come back, within [`PATIENCE`].
    pub async fn drain(&self) -> anyhow::Result<()> {
        let pods = self.pods("").await?;
        let node = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
        let mut names: Vec<_> = pods.iter().filter_map(node).collect();
        names.sort();
        names.dedup();
        let nodes: Api<Node> = self.cluster().all();
        for name in &names {
            nodes.cordon(name).await?;
        }
        let evicted = self.evict(&pods).await;
        // Whatever happened: the cluster is not left without a node.
        for name in &names {
            nodes.uncordon(name).await?;
        }
        evicted?;
        self.settled().await
    }

    async fn evict(&self, pods: &[Pod]) -> anyhow::Result<()> {
        for pod in pods {
            let name = pod.name_any();
            self.until(&format!("{name} may be evicted"), PATIENCE, async || {
                match self.api::<Pod>().evict(&name, &EvictParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                    evicted => evicted.map(drop).context("not yet"),
                }
            })
            .await?;
        }
        self.gone(pods).await
    }

    /// Waits until none of these very pods is there.
    async fn gone(&self, pods: &[Pod]) -> anyhow::Result<()> {
        self.until("the pods are gone", PATIENCE, async || {
            for pod in pods {
                let name = pod.name_any();
                let now = self.api::<Pod>().get_opt(&name).await?;
                ensure!(now.is_none_or(|now| now.uid() != pod.uid()), "{name} is there");
            }
            Ok(())
        })
        .await
    }
}

/// How often a container of a pod was restarted.
///
/// # Errors
/// The pod has no such container.
pub fn restarts(pod: &Pod, name: &str) -> anyhow::Result<i32> {
    let found = container(pod, name);
    Ok(found.with_context(|| format!("no container {name} in {}", pod.name_any()))?.restart_count)
}

/// By containerd's own command line on the pod's node, which is a docker
/// container of the same name: the images have no program that could do it.
async fn kill_container(pod: &Pod, name: &str) -> anyhow::Result<()> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let id = container(pod, name).and_then(|container| container.container_id.as_deref());
    let id = id.and_then(|id| id.strip_prefix("containerd://"));
    let output = Command::new("docker")
        .args(["exec", node.context("the pod has no node")?])
        .args(["ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL"])
        .arg(id.context("the container does not run")?)
        .stdin(Stdio::null())
        .output()
        .await
        .context("cannot run docker")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot kill {name} of {}: {errors}", pod.name_any());
    Ok(())
}
