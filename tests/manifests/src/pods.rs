//! The pods that objects make.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};
use serde_json::Value;

use crate::Manifest;

/// Pods of one kind: those of a workload, or a single one.
#[derive(Clone, Debug)]
pub struct Pods<'a> {
    /// Who makes them.
    pub manifest: &'a Manifest,
    /// Where they are described in it; empty for a pod itself.
    path: &'static str,
    /// Their labels.
    pub labels: BTreeMap<String, String>,
    /// Their annotations.
    pub annotations: BTreeMap<String, String>,
    /// What they are.
    pub spec: PodSpec,
}

/// How long a container runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// As long as the pod; it is started again when it ends.
    Serves,
    /// Until its work is done.
    Ends,
}

impl<'a> Pods<'a> {
    /// The pods that `manifest` makes; none if it makes none, or if they cannot
    /// be read, which the schema check tells.
    pub fn of(manifest: &'a Manifest) -> Option<Self> {
        let path = match manifest.kind() {
            "Pod" => "",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => "spec.template",
            "CronJob" => "spec.jobTemplate.spec.template",
            _ => return None,
        };
        let template = at(&manifest.value, path);
        let spec = serde_json::from_value(template["spec"].clone()).ok()?;
        let texts = |value: &Value| serde_json::from_value(value.clone()).unwrap_or_default();
        Some(Self {
            manifest,
            path,
            labels: texts(&template["metadata"]["labels"]),
            annotations: texts(&template["metadata"]["annotations"]),
            spec,
        })
    }

    /// The path in the manifest of something below the pod, such as `spec.volumes`.
    pub fn at(&self, below: &str) -> String {
        if self.path.is_empty() { below.to_owned() } else { format!("{}.{below}", self.path) }
    }

    /// Every container, with its path in the manifest.
    pub fn containers(&self) -> impl Iterator<Item = (String, Role, &Container)> {
        let ends = self.spec.restart_policy.as_deref().is_some_and(|policy| policy != "Always");
        let init = self.spec.init_containers.iter().flatten().map(|container| {
            let sidecar = container.restart_policy.as_deref() == Some("Always");
            let role = if sidecar { Role::Serves } else { Role::Ends };
            (self.at(&format!("spec.initContainers[{}]", container.name)), role, container)
        });
        init.chain(self.spec.containers.iter().map(move |container| {
            let role = if ends { Role::Ends } else { Role::Serves };
            (self.at(&format!("spec.containers[{}]", container.name)), role, container)
        }))
    }

    /// Whether a container has a port of this name or number.
    pub fn has_port(&self, port: &Value) -> bool {
        self.containers().any(|(_, _, container)| {
            container.ports.iter().flatten().any(|candidate| match port {
                Value::String(name) => candidate.name.as_deref() == Some(name.as_str()),
                number => number.as_i64() == Some(i64::from(candidate.container_port)),
            })
        })
    }
}

/// The value at a path of object members, null if there is none.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').filter(|member| !member.is_empty()).fold(value, |value, member| &value[member])
}
