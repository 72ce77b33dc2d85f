//! A namespace, and waiting for what happens in it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::core::v1;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
    core::{NamespaceResourceScope, Resource},
};
use serde::de::DeserializeOwned;

use crate::{Cluster, PATIENCE};

/// Between two looks at the cluster.
const PAUSE: Duration = Duration::from_millis(300);

/// A namespace of the cluster.
#[derive(Clone)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    pub(crate) fn new(cluster: Cluster, name: &str) -> Self {
        Self { cluster, name: name.to_owned() }
    }

    /// An empty namespace that takes no pod below the Pod Security level
    /// `restricted`. What an earlier run has left under the name is deleted.
    ///
    /// # Errors
    /// The old one does not go away.
    pub async fn fresh(cluster: &Cluster, name: &str) -> anyhow::Result<Self> {
        let namespace = cluster.namespace(name);
        namespace.delete().await?;
        namespace.create().await?;
        Ok(namespace)
    }

    /// Makes it, if it is not there.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create(&self) -> anyhow::Result<()> {
        let label = ("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned());
        let metadata = ObjectMeta {
            name: Some(self.name.clone()),
            labels: Some(BTreeMap::from([label])),
            ..ObjectMeta::default()
        };
        let namespace = v1::Namespace { metadata, ..v1::Namespace::default() };
        match self.cluster.all().create(&PostParams::default(), &namespace).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            created => created.map(drop).context("cannot make the namespace"),
        }
    }

    /// Deletes it, and waits until it is gone. A test does so at its end, so
    /// that a failed one can be looked at.
    ///
    /// # Errors
    /// It does not go away.
    pub async fn delete(&self) -> anyhow::Result<()> {
        let namespaces: Api<v1::Namespace> = self.cluster.all();
        match namespaces.delete(&self.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            deleted => deleted.map(drop).context("cannot delete the namespace")?,
        }
        self.until("the namespace is gone", PATIENCE, async || {
            let left = namespaces.get_opt(&self.name).await?;
            ensure!(left.is_none(), "it is there");
            Ok(())
        })
        .await
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster it is in.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Objects in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.cluster.client(), &self.name)
    }

    /// The names of all objects of a kind in it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn names<K>(&self) -> anyhow::Result<Vec<String>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let found = self.api::<K>().list(&ListParams::default()).await?;
        Ok(found.iter().map(kube::ResourceExt::name_any).collect())
    }

    /// Pods that a label selector names and that are not being deleted.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn pods(&self, selector: &str) -> anyhow::Result<Vec<v1::Pod>> {
        let pods = self.api::<v1::Pod>().list(&ListParams::default().labels(selector)).await?;
        Ok(pods.items.into_iter().filter(|p| p.metadata.deletion_timestamp.is_none()).collect())
    }

    /// The only such pod, once it is ready.
    ///
    /// # Errors
    /// There is none, or another, within [`PATIENCE`].
    pub async fn ready_pod(&self, selector: &str) -> anyhow::Result<v1::Pod> {
        self.until(&format!("one pod {selector} is ready"), PATIENCE, async || {
            let mut pods = self.pods(selector).await?;
            ensure!(pods.len() == 1, "there are {}", pods.len());
            let pod = pods.remove(0);
            ensure!(is_ready(&pod), "{} is not ready", pod.name_any());
            Ok(pod)
        })
        .await
    }

    /// What `check` gives once it succeeds. It is called again and again, and
    /// its errors are taken for "not yet".
    ///
    /// # Errors
    /// It has not succeeded within `deadline`: with its last error, and with
    /// the pods, events and logs of the namespace.
    pub async fn until<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut check: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let end = Instant::now() + deadline;
        let mut last = "no answer".to_owned();
        loop {
            match tokio::time::timeout_at(end.into(), check()).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(err)) => last = format!("{err:#}"),
                Err(_) => {}
            }
            if Instant::now() + PAUSE > end {
                bail!(
                    "waited {deadline:?} in vain in {} until {what}: {last}\n{}",
                    self.name,
                    self.describe().await
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether a pod is ready.
pub fn is_ready(pod: &v1::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|found| found.type_ == "Ready" && found.status == "True")
}
