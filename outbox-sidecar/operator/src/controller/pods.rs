//! What the controller knows about pods. The store holds only those that have
//! to do with a relay, and of those only what is needed.

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStatus, Pod, PodSpec, PodStatus,
};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use super::workload::Workload;
use crate::{
    inject::Fingerprint,
    names::{GROUP, INJECTED, RELAY, SIDECAR},
};

/// The label by which a Deployment tells the pods of its ReplicaSets apart.
pub(super) const TEMPLATE_HASH: &str = "pod-template-hash";

/// The relay that a pod asks for.
pub fn relay_of(pod: &Pod) -> Option<&str> {
    pod.annotations().get(RELAY).map(String::as_str)
}

/// Leaves of a pod what [`PodView`] reads.
pub fn prune(pod: &mut Pod) {
    let metadata = &mut pod.metadata;
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.retain(|key, _| key.starts_with(GROUP));
    }
    if let Some(labels) = &mut metadata.labels {
        labels.retain(|key, _| key == TEMPLATE_HASH);
    }
    if let Some(spec) = pod.spec.take() {
        let sidecar = |containers: Vec<Container>| {
            containers
                .into_iter()
                .filter(|container| container.name == SIDECAR)
                .map(|container| Container {
                    name: container.name,
                    ports: container.ports,
                    ..Container::default()
                })
                .collect::<Vec<_>>()
        };
        pod.spec = Some(PodSpec {
            containers: sidecar(spec.containers),
            init_containers: spec.init_containers.map(sidecar),
            ..PodSpec::default()
        });
    }
    if let Some(status) = pod.status.take() {
        let sidecar = |statuses: Option<Vec<ContainerStatus>>| {
            statuses.map(|all| all.into_iter().filter(|status| status.name == SIDECAR).collect())
        };
        pod.status = Some(PodStatus {
            phase: status.phase,
            pod_ip: status.pod_ip,
            container_statuses: sidecar(status.container_statuses),
            init_container_statuses: sidecar(status.init_container_statuses),
            ..PodStatus::default()
        });
    }
}

/// A pod that asks for a relay, and is neither finished nor being deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Who made it.
    pub workload: Workload,
    /// The operator's annotations on it.
    pub annotations: Value,
    /// Its sidecar, if it has one.
    pub sidecar: Option<SidecarView>,
}

/// A sidecar in a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct SidecarView {
    /// What it was made with; absent if it was not made by the injector.
    pub fingerprint: Option<Fingerprint>,
    /// Where it can be asked, if it runs.
    pub address: Option<String>,
    /// What keeps its container from running, if anything but patience does.
    pub problem: Option<String>,
}

impl PodView {
    /// Reads a pod; `None` if there is nothing to expect of it.
    pub fn read(pod: &Pod) -> Option<Self> {
        let status = pod.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        if pod.metadata.deletion_timestamp.is_some()
            || matches!(phase, Some("Succeeded" | "Failed"))
        {
            return None;
        }
        Some(Self {
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            workload: Workload::of(pod),
            annotations: json!(pod.annotations()),
            sidecar: sidecar(pod),
        })
    }
}

fn sidecar(pod: &Pod) -> Option<SidecarView> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
    let container = containers.into_iter().find(|container| container.name == SIDECAR)?;
    let port = container.ports.iter().flatten().next().map(|port| port.container_port);
    let status = pod.status.as_ref();
    let all = |list: fn(&PodStatus) -> &Option<Vec<ContainerStatus>>| {
        status.and_then(|status| list(status).as_ref()).into_iter().flatten()
    };
    let mut statuses = all(|s| &s.init_container_statuses).chain(all(|s| &s.container_statuses));
    let state = statuses.find(|status| status.name == SIDECAR).and_then(|s| s.state.as_ref());
    let runs = state.is_some_and(|state| state.running.is_some());
    let ip = status.and_then(|status| status.pod_ip.as_deref()).filter(|_| runs);
    Some(SidecarView {
        fingerprint: pod.annotations().get(INJECTED).and_then(|text| Fingerprint::parse(text)),
        address: ip.zip(port).and_then(|(ip, port)| address(ip, port)),
        problem: state.and_then(problem),
    })
}

/// `host:port`, with brackets around an IPv6 address.
fn address(ip: &str, port: i32) -> Option<String> {
    let port = u16::try_from(port).ok()?;
    Some(std::net::SocketAddr::new(ip.parse().ok()?, port).to_string())
}

/// What `kubectl describe` would show of a container that cannot start.
fn problem(state: &ContainerState) -> Option<String> {
    let said = |reason: &Option<String>, message: &Option<String>| {
        let reason = reason.as_deref().unwrap_or("Unknown");
        match message.as_deref().filter(|message| !message.is_empty()) {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        }
    };
    if let Some(waiting) = &state.waiting {
        // On its way: its pod has to wait for other init containers or volumes.
        let patience = matches!(
            waiting.reason.as_deref(),
            None | Some("PodInitializing" | "ContainerCreating")
        );
        // The back-off in the message counts up.
        let message = (waiting.reason.as_deref() != Some("CrashLoopBackOff"))
            .then(|| waiting.message.clone())
            .flatten();
        return (!patience).then(|| said(&waiting.reason, &message));
    }
    let ended = state.terminated.as_ref()?;
    Some(format!("{}, exit code {}", said(&ended.reason, &ended.message), ended.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {
                "name": "orders-5d4f-x", "namespace": "shop", "uid": "1",
                "annotations": { "outbox-sidecar.dev/relay": "orders", "outbox-sidecar.dev/injected": "aa-bb", "other": "x" },
                "labels": { "app": "orders", "pod-template-hash": "5d4f" },
            },
            "spec": {
                "initContainers": [
                    { "name": "migrate", "image": "a" },
                    { "name": "outbox-sidecar", "image": "b", "ports": [{ "containerPort": 9100 }] },
                ],
                "containers": [{ "name": "orders", "image": "a", "env": [{ "name": "A", "value": "secret" }] }],
            },
            "status": {
                "phase": "Running", "podIP": "10.0.0.7",
                "initContainerStatuses": [
                    { "name": "outbox-sidecar", "state": { "running": {} }, "image": "", "imageID": "", "ready": true, "restartCount": 0 },
                ],
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_pruned_pod_tells_the_same_and_keeps_nothing_of_the_application() {
        let mut pruned = pod();
        prune(&mut pruned);
        let view = PodView::read(&pruned).unwrap();
        let sidecar = view.sidecar.clone().unwrap();
        assert_eq!(sidecar.address.as_deref(), Some("10.0.0.7:9100"));
        assert_eq!(sidecar.fingerprint.unwrap().to_string(), "aa-bb");
        assert_eq!(sidecar.problem, None);
        assert_eq!(view.annotations["outbox-sidecar.dev/relay"], "orders");
        let kept = serde_json::to_string(&pruned).unwrap();
        assert!(!kept.contains("secret") && !kept.contains("migrate"), "{kept}");
    }

    #[test]
    fn a_container_that_cannot_start_says_why() {
        let with_state = |state: Value| {
            let mut pod = pod();
            let status =
                &mut pod.status.as_mut().unwrap().init_container_statuses.as_mut().unwrap()[0];
            status.state = Some(serde_json::from_value(state).unwrap());
            PodView::read(&pod).unwrap().sidecar.unwrap()
        };
        let waiting = |reason: &str, message: &str| {
            with_state(json!({ "waiting": { "reason": reason, "message": message } })).problem
        };
        assert_eq!(waiting("PodInitializing", ""), None);
        assert_eq!(
            waiting("CreateContainerConfigError", "secret \"db\" not found").as_deref(),
            Some("CreateContainerConfigError: secret \"db\" not found")
        );
        assert_eq!(
            waiting("CrashLoopBackOff", "back-off 40s restarting").as_deref(),
            Some("CrashLoopBackOff")
        );
        let ended = with_state(json!({ "terminated": { "reason": "Error", "exitCode": 64 } }));
        assert_eq!(ended.problem.as_deref(), Some("Error, exit code 64"));
        assert_eq!(ended.address, None);
    }

    #[test]
    fn nothing_is_expected_of_pods_that_are_finished_or_going() {
        let mut done = pod();
        done.status.as_mut().unwrap().phase = Some("Succeeded".into());
        assert_eq!(PodView::read(&done), None);
    }

    #[test]
    fn an_address_of_the_new_internet_is_put_in_brackets() {
        assert_eq!(address("fd00::7", 9100).as_deref(), Some("[fd00::7]:9100"));
    }
}
