//! Fields, Relays, and what objects say of one another.

use serde_json::{Value, json};

use crate::{changed, good, one_problem, problems, problems_with};

#[test]
fn nothing_is_wrong_with_the_good_set() {
    assert_eq!(problems(&good()), [""; 0]);
}

#[test]
fn a_misspelt_field_is_named_with_its_path() {
    one_problem(
        "Deployment/web",
        "/spec/template/spec/containers/0/livenesProbe",
        json!({}),
        "spec.template.spec.containers[0].livenesProbe: the API has no such field",
    );
    one_problem("Service/web", "/spec/prots", json!([]), "spec.prots: the API has no such field");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_path() {
    one_problem(
        "PodDisruptionBudget/web",
        "/spec/selector",
        json!("a"),
        "spec.selector: invalid type",
    );
    one_problem("ConfigMap/web", "/data/settings", json!(1), "data.settings: invalid type");
}

#[test]
fn an_unknown_kind_and_an_impossible_name_are_refused() {
    one_problem(
        "Role/web",
        "/apiVersion",
        json!("rbac.authorization.k8s.io/v2"),
        "is not a kind this checker knows",
    );
    let problems = problems(&changed("ConfigMap/web", "/metadata/name", json!("Web_1")));
    assert!(problems[0].contains("metadata.name: may have lower-case letters"), "{problems:?}");
}

#[test]
fn a_relay_is_held_to_its_schema_and_to_the_sidecars_parser() {
    let problems = problems(&changed("Relay/web", "/spec/kafka/bootstrapServers", json!([])));
    assert!(
        problems.iter().any(|problem| problem.contains("spec.kafka.bootstrapServers: ")),
        "{problems:?}"
    );
    assert!(
        problems.iter().any(|problem| problem.contains("the sidecar refuses it")),
        "{problems:?}"
    );
    one_problem(
        "Relay/web",
        "/spec/outboxes/0/tabel",
        json!("outbox"),
        "the sidecar refuses it: 1:",
    );
    let file = crate::problems(&changed("Relay/web", "/spec/database/url", json!({"env": "URL"})));
    assert!(
        file.iter().any(|problem| problem.contains("`env` cannot be used in a Relay")),
        "{file:?}"
    );
}

#[test]
fn two_objects_of_one_name_are_one_too_many() {
    let mut manifests = good();
    manifests.push(manifests[1].clone());
    assert_eq!(
        problems(&manifests),
        ["good.yaml: ConfigMap/web: is there twice, first in good.yaml"]
    );
}

#[test]
fn selectors_select_something() {
    let none = json!({"app": "other"});
    one_problem("Service/web", "/spec/selector", none.clone(), "spec.selector: selects no pods");
    one_problem(
        "PodDisruptionBudget/web",
        "/spec/selector/matchLabels",
        none.clone(),
        "selects no pods",
    );
    one_problem(
        "Deployment/web",
        "/spec/selector/matchLabels",
        none.clone(),
        "its own pods do not have app=other",
    );
    one_problem("Deployment/web", "/spec/selector/matchLabels", json!({}), "selects nothing");
    let policy =
        problems(&changed("NetworkPolicy/web", "/spec/podSelector/matchLabels", none.clone()));
    assert!(policy[0].contains("spec.podSelector: selects no pods"), "{policy:?}");
    let monitor = problems(&changed("PodMonitor/web", "/spec/selector/matchLabels", none));
    assert!(monitor[0].contains("nothing that is selected has port http"), "{monitor:?}");
}

#[test]
fn ports_are_there() {
    let port = json!("htp");
    one_problem(
        "Service/web",
        "/spec/ports/0/targetPort",
        port.clone(),
        "no container of the selected pods has port htp",
    );
    one_problem("Service/web", "/spec/ports/0/targetPort", json!(8081), "has port 8081");
    one_problem("NetworkPolicy/web", "/spec/ingress/0/ports/0/port", port.clone(), "has port htp");
    one_problem("PodMonitor/web", "/spec/podMetricsEndpoints/0/port", port.clone(), "has port htp");
    let ingress = "/spec/rules/0/http/paths/0/backend/service/port/name";
    one_problem("Ingress/web", ingress, port, "Service/web has no port htp");
}

#[test]
fn what_is_named_exists() {
    let other = json!("other");
    let pod = "/spec/template/spec";
    let of_pod = |below: &str, expected: &str| {
        one_problem("Deployment/web", &format!("{pod}/{below}"), other.clone(), expected);
    };
    of_pod("serviceAccountName", "there is no ServiceAccount/other");
    of_pod("volumes/0/projected/sources/0/configMap/items/0/key", "ConfigMap/web has no key other");
    of_pod("containers/0/env/0/valueFrom/secretKeyRef/name", "there is no Secret/other");
    of_pod("containers/0/env/0/valueFrom/secretKeyRef/key", "Secret/database has no key other");
    let annotations = json!({"outbox-sidecar.dev/relay": "other"});
    let path = "/spec/template/metadata/annotations";
    one_problem("Deployment/web", path, annotations, "there is no Relay/other");
    one_problem(
        "Relay/web",
        "/spec/database/url/secret/key",
        other.clone(),
        "Secret/database has no key other",
    );
    one_problem(
        "HorizontalPodAutoscaler/web",
        "/spec/scaleTargetRef/name",
        other.clone(),
        "there is no Deployment/other",
    );
    let container = "/spec/metrics/0/containerResource/container";
    one_problem("HorizontalPodAutoscaler/web", container, other.clone(), "has no container other");
    one_problem("RoleBinding/web", "/roleRef/name", other.clone(), "there is no Role/other");
    one_problem(
        "RoleBinding/web",
        "/subjects/0/name",
        other.clone(),
        "there is no ServiceAccount/other",
    );
    let service = "/spec/rules/0/http/paths/0/backend/service/name";
    one_problem("Ingress/web", service, other, "there is no Service/other");
}

#[test]
fn an_optional_volume_may_be_missing() {
    let map = json!([{"name": "settings", "configMap": {"name": "other", "optional": true}}]);
    assert_eq!(problems(&changed("Deployment/web", "/spec/template/spec/volumes", map)), [""; 0]);
}

#[test]
fn an_autoscaled_workload_leaves_its_replicas_open() {
    let problems = problems(&changed("Deployment/web", "/spec/replicas", json!(2)));
    assert!(problems[0].contains("each upgrade would undo the scaling"), "{problems:?}");
}

#[test]
fn objects_of_others_are_taken_on_trust() {
    let mut manifests = good();
    manifests.retain(|manifest| manifest.kind() != "Secret");
    assert_eq!(problems(&manifests).len(), 2);
    assert_eq!(problems_with(&manifests, &["Secret/database"], &[]), [""; 0]);
    assert_eq!(problems_with(&manifests, &["Secret/data*"], &[]), [""; 0]);
    assert_eq!(problems_with(&manifests, &["ConfigMap/database"], &[]).len(), 2);

    let cluster =
        "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: db, namespace: shop}\n";
    let cluster = manifest_check::Manifest::read_all("cluster.yaml", cluster).unwrap();
    let mut manifests = changed("Relay/web", "/spec/database/url/secret/name", json!("db-app"));
    manifests.extend(cluster);
    assert_eq!(problems(&manifests), [""; 0], "the operator of the Cluster makes its Secret");
}

#[test]
fn a_missing_name_is_refused() {
    let problems = problems(&changed("Role/web", "/metadata/name", Value::Null));
    assert!(problems[0].contains("metadata.name: is missing"), "{problems:?}");
}
