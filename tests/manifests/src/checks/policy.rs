//! How containers may run: Pod Security `restricted`, and what this project
//! asks for beside it.

use std::{fmt, str::FromStr};

use k8s_openapi::api::core::v1::Container;

use super::restricted;
use crate::{
    Problem,
    pods::{Pods, Role},
    set::Set,
};

/// A rule of the policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Pod Security `restricted`.
    Restricted,
    /// The root filesystem is read-only.
    ReadOnlyRoot,
    /// The user is a number, so that the kubelet can tell it is not root.
    NumericUser,
    /// CPU and memory are requested, memory is limited.
    Resources,
    /// The image has a tag other than `latest`, or a digest.
    ImageTag,
    /// What runs as long as its pod has a readiness and a liveness probe.
    Probes,
    /// Only pods whose service account has rights get its token.
    Token,
}

impl Rule {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Restricted, "restricted"),
        (Self::ReadOnlyRoot, "read-only-root"),
        (Self::NumericUser, "numeric-user"),
        (Self::Resources, "resources"),
        (Self::ImageTag, "image-tag"),
        (Self::Probes, "probes"),
        (Self::Token, "token"),
    ];
}

/// An exception from the policy, written `RULE:Kind/name`, or
/// `RULE:Kind/name/CONTAINER` for one container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Exception {
    rule: Rule,
    object: String,
    container: Option<String>,
}

/// A text that is no exception.
#[derive(Debug, thiserror::Error)]
#[error("write RULE:Kind/name or RULE:Kind/name/CONTAINER, with a RULE of {}", rules())]
pub struct NotAnException;

fn rules() -> String {
    Rule::ALL.map(|(_, name)| name).join(", ")
}

impl FromStr for Exception {
    type Err = NotAnException;

    fn from_str(text: &str) -> Result<Self, NotAnException> {
        let (rule, object) = text.split_once(':').ok_or(NotAnException)?;
        let rule = Rule::ALL.into_iter().find(|(_, name)| *name == rule).ok_or(NotAnException)?.0;
        let (object, container) = match object.splitn(3, '/').collect::<Vec<_>>()[..] {
            [kind, name] => (format!("{kind}/{name}"), None),
            [kind, name, container] => (format!("{kind}/{name}"), Some(container.to_owned())),
            _ => return Err(NotAnException),
        };
        Ok(Self { rule, object, container })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.into_iter().find(|(rule, _)| rule == self).map(|(_, name)| name);
        f.write_str(name.unwrap_or_default())
    }
}

/// Checks every pod of `set`.
pub fn check(set: &Set<'_>, exceptions: &[Exception]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for pods in set.pods() {
        let id = pods.manifest.id();
        let excepted = |rule: Rule, container: Option<&str>| {
            exceptions.iter().any(|exception| {
                exception.rule == rule
                    && exception.object == id
                    && (exception.container.is_none()
                        || exception.container.as_deref() == container)
            })
        };
        let mut wrong = |rule: Rule, container: Option<&str>, path: String, message: String| {
            if !excepted(rule, container) {
                let message = format!("{message} ({rule})");
                problems.push(Problem::new(pods.manifest, path, message));
            }
        };
        for (below, message) in restricted::pod_problems(&pods.spec) {
            wrong(Rule::Restricted, None, pods.at(&below), message);
        }
        if let Some(message) = token_problem(set, pods) {
            let path = pods.at("spec.automountServiceAccountToken");
            wrong(Rule::Token, None, path, message.to_owned());
        }
        for (path, role, container) in pods.containers() {
            for (rule, below, message) in container_problems(pods, role, container) {
                wrong(rule, Some(&container.name), format!("{path}.{below}"), message);
            }
        }
    }
    problems
}

fn container_problems(
    pods: &Pods<'_>,
    role: Role,
    container: &Container,
) -> Vec<(Rule, &'static str, String)> {
    let mut problems: Vec<_> = restricted::container_problems(&pods.spec, container)
        .into_iter()
        .map(|(path, message)| (Rule::Restricted, path, message))
        .collect();
    let mut wrong = |rule, path, message: &str| problems.push((rule, path, message.to_owned()));

    let security = container.security_context.as_ref();
    if security.and_then(|security| security.read_only_root_filesystem) != Some(true) {
        wrong(Rule::ReadOnlyRoot, "securityContext.readOnlyRootFilesystem", "must be true");
    }
    if restricted::user(&pods.spec, container).is_none() {
        wrong(Rule::NumericUser, "securityContext.runAsUser", "must be set, here or for the pod");
    }
    let resources = container.resources.as_ref();
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    for (resource, path) in
        [("cpu", "resources.requests.cpu"), ("memory", "resources.requests.memory")]
    {
        if !requests.is_some_and(|requests| requests.contains_key(resource)) {
            wrong(Rule::Resources, path, "must be set");
        }
    }
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    if !limits.is_some_and(|limits| limits.contains_key("memory")) {
        wrong(Rule::Resources, "resources.limits.memory", "must be set");
    }
    if let Some(problem) = image_problem(container.image.as_deref().unwrap_or_default()) {
        wrong(Rule::ImageTag, "image", problem);
    }
    if role == Role::Serves {
        if container.readiness_probe.is_none() {
            wrong(
                Rule::Probes,
                "readinessProbe",
                "must be set: the container runs as long as its pod",
            );
        }
        if container.liveness_probe.is_none() {
            wrong(
                Rule::Probes,
                "livenessProbe",
                "must be set: the container runs as long as its pod",
            );
        }
    }
    problems
}

fn image_problem(image: &str) -> Option<&'static str> {
    if image.is_empty() {
        return Some("must be set");
    }
    if image.contains('@') {
        return None;
    }
    let name = image.rsplit('/').next().unwrap_or(image);
    match name.split_once(':') {
        None | Some((_, "")) => Some("must have a tag or a digest"),
        Some((_, "latest")) => Some("must not be latest, which is another image every time"),
        Some(_) => None,
    }
}

/// A token nobody needs is a way into the API for whoever gets into the pod.
fn token_problem(set: &Set<'_>, pods: &Pods<'_>) -> Option<&'static str> {
    let account = pods.spec.service_account_name.as_deref().unwrap_or("default");
    let namespace = pods.manifest.namespace();
    let bound = set.manifests().iter().any(|manifest| {
        matches!(manifest.kind(), "RoleBinding" | "ClusterRoleBinding")
            && manifest.value["subjects"].as_array().into_iter().flatten().any(|subject| {
                subject["kind"] == "ServiceAccount"
                    && subject["name"] == account
                    && subject["namespace"] == namespace
            })
    });
    match (pods.spec.automount_service_account_token, bound) {
        (Some(false), _) | (Some(true), true) => None,
        (Some(true), false) => Some("must be false: the service account is bound to no role"),
        (None, _) => Some("must be set, so that it is no matter of defaults"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_name_a_rule_an_object_and_maybe_a_container() {
        let exception: Exception = "probes:Pod/a".parse().unwrap();
        assert_eq!(exception.container, None);
        let exception: Exception = "read-only-root:StatefulSet/a/b".parse().unwrap();
        assert_eq!(exception.container.as_deref(), Some("b"));
        for text in ["probes", "probes:a", "nonsense:Pod/a"] {
            let err = text.parse::<Exception>().unwrap_err().to_string();
            assert!(err.contains("read-only-root"), "{err}");
        }
    }

    #[test]
    fn an_image_is_known_by_tag_or_digest() {
        for good in ["a:1", "r:5000/a:1", "a@sha256:00", "r/a/b:stable"] {
            assert_eq!(image_problem(good), None, "{good}");
        }
        for bad in ["", "a", "a:", "r:5000/a", "a:latest"] {
            assert!(image_problem(bad).is_some(), "{bad}");
        }
    }
}
