//! Whether two ways of making a sidecar make the same one: a chart that renders
//! it, and the operator that injects it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{Manifest, Problem, pods::Pods};

/// The name of the container and of its volume.
const SIDECAR: &str = "outbox-sidecar";

/// The label that tells which Relay a pod's sidecar has.
const RELAY: &str = "outbox-sidecar.dev/relay";

/// Compares the sidecars of the workloads that are in both lists, by kind and
/// name. At least one must be.
pub fn compare(these: &[Manifest], those: &[Manifest]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut compared = false;
    for manifest in these {
        let other = those.iter().find(|other| other.id() == manifest.id());
        let (Some(pods), Some(others)) = (Pods::of(manifest), other.and_then(Pods::of)) else {
            continue;
        };
        let (sidecar, other_sidecar) = (parts(&pods), parts(&others));
        if sidecar["container"].is_null() && other_sidecar["container"].is_null() {
            continue;
        }
        compared = true;
        let mut differences = Vec::new();
        differ("", &sidecar, &other_sidecar, &mut differences);
        problems.extend(differences.into_iter().map(|(path, message)| {
            let message = format!("{message} in {}", others.manifest.source);
            Problem::new(manifest, path, message)
        }));
    }
    if let (false, Some(first)) = (compared, these.first()) {
        problems.push(Problem::new(first, "", "no workload with a sidecar is in both"));
    }
    problems
}

/// All that makes a sidecar, in one value without accidental order.
fn parts(pods: &Pods<'_>) -> Value {
    let typed = |value| serde_json::to_value(value).unwrap_or_default();
    let containers = pods.spec.init_containers.as_ref();
    let position = containers.and_then(|all| all.iter().position(|one| one.name == SIDECAR));
    let container = position.and_then(|position| containers.map(|all| typed(&all[position])));
    let last =
        position.is_some_and(|position| containers.is_some_and(|all| position + 1 == all.len()));
    let volumes = pods.spec.volumes.iter().flatten();
    let volume = volumes.filter(|volume| volume.name == SIDECAR).map(typed_volume).next();
    json!({
        "container": container,
        "isLast": last,
        "volume": volume,
        "relay": pods.labels.get(RELAY),
    })
}

/// A volume whose sources are in order, with each entry apart.
fn typed_volume(volume: &k8s_openapi::api::core::v1::Volume) -> Value {
    let mut value = serde_json::to_value(volume).unwrap_or_default();
    if let Some(sources) = value["projected"]["sources"].as_array() {
        let mut entries = BTreeSet::new();
        for source in sources {
            for (kind, object) in source.as_object().into_iter().flatten() {
                for item in object["items"].as_array().into_iter().flatten() {
                    entries.insert(format!("{kind}/{} {item}", object["name"]));
                }
            }
        }
        value["projected"]["sources"] = json!(entries);
    }
    value
}

fn differ(path: &str, this: &Value, that: &Value, differences: &mut Vec<(String, String)>) {
    match (this, that) {
        (Value::Object(these), Value::Object(those)) => {
            let names: BTreeSet<_> = these.keys().chain(those.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differ(&path, &this[name], &that[name], differences);
            }
        }
        (Value::Array(these), Value::Array(those)) if these.len() == those.len() => {
            for (index, (this, that)) in these.iter().zip(those).enumerate() {
                differ(&format!("{path}[{index}]"), this, that, differences);
            }
        }
        _ if this != that => differences.push((path.to_owned(), format!("is {this}, but {that}"))),
        _ => {}
    }
}
