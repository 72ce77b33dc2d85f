//! Whether the API server would take an object: fields it does not know it drops
//! in silence, so a misspelt one is found here or never.

use k8s_openapi::{
    Resource,
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        autoscaling::v2::HorizontalPodAutoscaler,
        batch::v1::{CronJob, Job},
        coordination::v1::Lease,
        core::v1::{
            ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount,
        },
        networking::v1::{Ingress, IngressClass, NetworkPolicy},
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
        scheduling::v1::PriorityClass,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Manifest, Problem};

/// Kinds of other projects, of which only the names are looked at.
const UNTYPED: [(&str, &str); 13] = [
    ("cert-manager.io/v1", "Certificate"),
    ("cert-manager.io/v1", "Issuer"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("kafka.strimzi.io/v1", "Kafka"),
    ("kafka.strimzi.io/v1", "KafkaNodePool"),
    ("kafka.strimzi.io/v1", "KafkaTopic"),
    ("kafka.strimzi.io/v1", "KafkaUser"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("outbox-sidecar.dev/v1alpha1", "Relay"),
    ("postgresql.cnpg.io/v1", "Cluster"),
    // Strimzi before 0.49 serves its kinds under this version.
    ("kafka.strimzi.io/v1beta2", ""),
];

/// What a type finds wrong with a value: unknown fields, wrong types.
type Reader = fn(&Value) -> Vec<(String, String)>;

/// Checks the fields of `manifest`, its kind and its name.
pub fn check(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(problem) = name_problem(manifest) {
        problems.push(Problem::new(manifest, "metadata.name", problem));
    }
    let (api_version, kind) = (manifest.api_version(), manifest.kind());
    if let Some(read) = reader(api_version, kind) {
        problems.extend(
            read(&manifest.value)
                .into_iter()
                .map(|(path, message)| Problem::new(manifest, path, message)),
        );
    } else if !UNTYPED
        .iter()
        .any(|(version, known)| *version == api_version && (*known == kind || known.is_empty()))
    {
        let problem = format!("{api_version} {kind} is not a kind this checker knows");
        problems.push(Problem::new(manifest, "kind", problem));
    }
    problems
}

fn reader(api_version: &str, kind: &str) -> Option<Reader> {
    macro_rules! among {
        ($($type:ty),* $(,)?) => {
            [$((<$type>::API_VERSION, <$type>::KIND, read::<$type> as Reader)),*]
        };
    }
    let typed = among!(
        ClusterRole,
        ClusterRoleBinding,
        ConfigMap,
        CronJob,
        CustomResourceDefinition,
        DaemonSet,
        Deployment,
        HorizontalPodAutoscaler,
        Ingress,
        IngressClass,
        Job,
        Lease,
        MutatingWebhookConfiguration,
        Namespace,
        NetworkPolicy,
        PersistentVolumeClaim,
        Pod,
        PodDisruptionBudget,
        PriorityClass,
        Role,
        RoleBinding,
        Secret,
        Service,
        ServiceAccount,
        StatefulSet,
    );
    typed
        .into_iter()
        .find(|(known_version, known, _)| *known_version == api_version && *known == kind)
        .map(|(_, _, read)| read)
}

fn read<T: DeserializeOwned>(value: &Value) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut unknown = |path: serde_ignored::Path<'_>| {
        problems.push((spelled(&path.to_string()), "the API has no such field".to_owned()));
    };
    let deserializer = serde_ignored::Deserializer::new(value, &mut unknown);
    if let Err(err) = serde_path_to_error::deserialize::<_, T>(deserializer) {
        problems.push((err.path().to_string(), err.inner().to_string()));
    }
    problems
}

/// `containers.0.name` as `containers[0].name`, and without the marks of
/// optional fields.
fn spelled(path: &str) -> String {
    let mut spelled = String::new();
    for member in path.split('.').filter(|member| *member != "?") {
        if member.bytes().all(|byte| byte.is_ascii_digit()) {
            spelled.push_str(&format!("[{member}]"));
        } else {
            if !spelled.is_empty() {
                spelled.push('.');
            }
            spelled.push_str(member);
        }
    }
    spelled
}

/// Names become parts of addresses. Those of RBAC objects are free.
fn name_problem(manifest: &Manifest) -> Option<String> {
    let name = manifest.name();
    if name.is_empty() {
        return Some("is missing".to_owned());
    }
    let longest = match manifest.kind() {
        "Service" | "StatefulSet" | "Namespace" => 63,
        _ => 253,
    };
    if name.len() > longest {
        return Some(format!("is longer than {longest} characters"));
    }
    let part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        label.bytes().next().is_some_and(part)
            && label.bytes().last().is_some_and(part)
            && label.bytes().all(|byte| part(byte) || byte == b'-')
    };
    let rbac = manifest.api_version().starts_with("rbac.authorization.k8s.io/");
    (!rbac && !name.split('.').all(label))
        .then(|| "may have lower-case letters, digits, `-` and `.` only".to_owned())
}
