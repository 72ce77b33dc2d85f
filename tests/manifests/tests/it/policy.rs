//! Each rule of the policy.

use serde_json::{Value, json};

use crate::{changed, one_problem, problems, problems_with};

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

fn of_pod(below: &str, value: Value, expected: &str) {
    one_problem("Deployment/web", &format!("{POD}{below}"), value, expected);
}

fn of_container(below: &str, value: Value, expected: &str) {
    one_problem("Deployment/web", &format!("{CONTAINER}{below}"), value, expected);
}

#[test]
fn a_pod_must_be_restricted() {
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        of_pod(&format!("/{field}"), json!(true), "must not be true (restricted)");
    }
    of_pod("/securityContext/sysctls", json!([{"name": "a", "value": "b"}]), "sysctls: must not");
    let host_path = json!([{"name": "settings", "hostPath": {"path": "/"}}]);
    of_pod("/volumes", host_path, "spec.template.spec.volumes[settings]: restricted allows");
}

#[test]
fn a_container_must_be_restricted() {
    let path = "spec.template.spec.containers[web].securityContext";
    let of = |field: &str, value, message: &str| {
        of_container(&format!("/securityContext/{field}"), value, message);
    };
    of("privileged", json!(true), &format!("{path}.privileged: must not be true (restricted)"));
    of("allowPrivilegeEscalation", Value::Null, "allowPrivilegeEscalation: must be false");
    of("capabilities", json!({"drop": ["NET_RAW"]}), "capabilities.drop: must have ALL");
    of(
        "capabilities",
        json!({"drop": ["ALL"], "add": ["SYS_TIME"]}),
        "may have NET_BIND_SERVICE only",
    );
    of("runAsNonRoot", json!(false), "runAsNonRoot: must be true");
    of("runAsUser", json!(0), "runAsUser: must not be 0");
    of("seccompProfile", json!({"type": "Unconfined"}), "must be RuntimeDefault or Localhost");
    of("procMount", json!("Unmasked"), "procMount: must be Default");
    of("appArmorProfile", json!({"type": "Unconfined"}), "must not be Unconfined");
    of_container("/ports/0/hostPort", json!(80), "ports: must not have a hostPort");
    of_pod("/securityContext/runAsNonRoot", Value::Null, "runAsNonRoot: must be true");
    of_pod("/securityContext/seccompProfile", Value::Null, "seccompProfile: must be");
}

#[test]
fn a_container_must_keep_the_projects_rules() {
    of_container(
        "/securityContext/readOnlyRootFilesystem",
        json!(false),
        "must be true (read-only-root)",
    );
    of_pod("/securityContext/runAsUser", Value::Null, "runAsUser: must be set");
    of_container("/resources/requests/cpu", Value::Null, "requests.cpu: must be set (resources)");
    of_container("/resources/requests/memory", Value::Null, "requests.memory: must be set");
    of_container("/resources/limits", Value::Null, "limits.memory: must be set");
    of_container("/image", json!("web"), "image: must have a tag or a digest (image-tag)");
    of_container("/image", json!("web:latest"), "image: must not be latest");
    of_container("/readinessProbe", Value::Null, "readinessProbe: must be set");
    of_container("/livenessProbe", Value::Null, "livenessProbe: must be set");
    of_pod(
        "/automountServiceAccountToken",
        Value::Null,
        "automountServiceAccountToken: must be set",
    );
}

#[test]
fn only_an_account_with_rights_gets_its_token() {
    let mut manifests =
        changed("Deployment/web", &format!("{POD}/automountServiceAccountToken"), json!(true));
    assert_eq!(problems(&manifests), [""; 0]);
    manifests.retain(|manifest| manifest.kind() != "RoleBinding");
    let problems = problems(&manifests);
    assert!(problems[0].contains("must be false: the service account is bound to no role"));
}

#[test]
fn init_containers_are_held_to_the_same() {
    let init = json!([{"name": "setup", "image": "a:1"}]);
    let problems = problems(&changed("Deployment/web", &format!("{POD}/initContainers"), init));
    assert!(problems.iter().all(|problem| problem.contains("initContainers[setup]")));
    assert!(problems.iter().any(|problem| problem.contains("capabilities.drop")));
    assert!(!problems.iter().any(|problem| problem.contains("Probe")), "it ends by itself");

    let sidecar = json!([{"name": "proxy", "image": "a:1", "restartPolicy": "Always"}]);
    let problems =
        crate::problems(&changed("Deployment/web", &format!("{POD}/initContainers"), sidecar));
    assert!(problems.iter().any(|problem| problem.contains("initContainers[proxy].livenessProbe")));
}

#[test]
fn an_exception_is_for_one_rule_and_one_container() {
    let image = changed("Deployment/web", &format!("{CONTAINER}/image"), json!("web"));
    for good in ["image-tag:Deployment/web", "image-tag:Deployment/web/web"] {
        assert_eq!(problems_with(&image, &[], &[good]), [""; 0]);
    }
    for other in ["probes:Deployment/web", "image-tag:Deployment/a", "image-tag:Deployment/web/a"] {
        assert_eq!(problems_with(&image, &[], &[other]).len(), 1, "{other}");
    }
}
