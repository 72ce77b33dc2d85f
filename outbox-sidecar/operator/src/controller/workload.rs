//! Who made a pod, and so what to restart.

use std::collections::BTreeSet;

use k8s_openapi::{
    api::core::v1::{ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::ResourceExt as _;

use super::pods::{PodView, TEMPLATE_HASH};

/// The maker of a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What to tell `kubectl rollout restart`, such as `deployment/orders`.
    restart: Option<String>,
    /// The object that owns the pod.
    owner: Option<OwnerReference>,
    namespace: Option<String>,
}

impl Workload {
    pub(super) fn of(pod: &Pod) -> Self {
        let mut owners = pod.owner_references().iter();
        let owner = owners.find(|owner| owner.controller == Some(true)).cloned();
        let restart = owner.as_ref().and_then(|owner| {
            let name = &owner.name;
            match owner.kind.as_str() {
                "ReplicaSet" => {
                    let hash = pod.labels().get(TEMPLATE_HASH)?;
                    let deployment = name.strip_suffix(hash.as_str())?.strip_suffix('-')?;
                    Some(format!("deployment/{deployment}"))
                }
                "StatefulSet" => Some(format!("statefulset/{name}")),
                "DaemonSet" => Some(format!("daemonset/{name}")),
                _ => None,
            }
        });
        Self { restart, owner, namespace: pod.namespace() }
    }

    /// For Events regarding the pod's owner.
    pub(super) fn reference(&self) -> Option<ObjectReference> {
        let owner = self.owner.as_ref()?;
        Some(ObjectReference {
            api_version: Some(owner.api_version.clone()),
            kind: Some(owner.kind.clone()),
            name: Some(owner.name.clone()),
            uid: Some(owner.uid.clone()),
            namespace: self.namespace.clone(),
            ..ObjectReference::default()
        })
    }
}

/// What a person does to have these pods made anew.
pub(super) fn remedy<'a>(pods: impl Iterator<Item = &'a PodView>) -> String {
    let mut restart = BTreeSet::new();
    let mut others = false;
    for pod in pods {
        match &pod.workload.restart {
            Some(workload) => _ = restart.insert(workload.as_str()),
            None => others = true,
        }
    }
    let restart: Vec<_> = restart.into_iter().collect();
    match (restart.is_empty(), others) {
        (false, false) => format!("run kubectl rollout restart {}", restart.join(" ")),
        (false, true) => {
            format!(
                "run kubectl rollout restart {}, and create the other pods anew",
                restart.join(" ")
            )
        }
        (true, _) => "create the pods anew".to_owned(),
    }
}

/// Names for a message: the first three, and how many more there are.
pub(super) fn listed<'a>(pods: impl Iterator<Item = &'a PodView>) -> String {
    const SHOWN: usize = 3;
    let mut names: Vec<_> = pods.map(|pod| pod.name.as_str()).collect();
    names.sort_unstable();
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}
