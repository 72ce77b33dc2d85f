//! ConfigMaps, Secrets, claims and accounts that pods and Relays name.

use k8s_openapi::api::core::v1::Volume;
use serde_json::Value;

use crate::{Manifest, Problem, pods::Pods, set::Set};

/// The pod annotation that asks for a sidecar.
pub(super) const RELAY: &str = "outbox-sidecar.dev/relay";

/// Something that is named and must exist.
struct Reference {
    path: String,
    kind: &'static str,
    name: String,
    /// An entry of it, if one is named.
    key: Option<String>,
}

pub(super) fn check(set: &Set<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for pods in set.pods() {
        for reference in of_pods(pods) {
            problems.extend(dangling(set, pods.manifest, &reference));
        }
    }
    for manifest in set.manifests().iter().filter(|manifest| manifest.kind() == "Relay") {
        let mut references = Vec::new();
        of_relay("spec", &manifest.value["spec"], &mut references);
        for reference in references {
            problems.extend(dangling(set, manifest, &reference));
        }
    }
    problems
}

fn dangling(set: &Set<'_>, manifest: &Manifest, reference: &Reference) -> Option<Problem> {
    let Reference { path, kind, name, key } = reference;
    let namespace = manifest.namespace();
    if !set.exists(kind, namespace, name) {
        return Some(Problem::new(manifest, path, format!("there is no {kind}/{name}")));
    }
    let key = key.as_ref()?;
    let object = set.find(kind, namespace, name)?;
    let has =
        ["data", "stringData", "binaryData"].iter().any(|part| !object.value[part][key].is_null());
    (!has).then(|| Problem::new(manifest, path, format!("{kind}/{name} has no key {key}")))
}

fn of_pods(pods: &Pods<'_>) -> Vec<Reference> {
    let mut references = Vec::new();
    let mut named = |path: String, kind, name: &str, key: Option<&str>| {
        let (name, key) = (name.to_owned(), key.map(str::to_owned));
        references.push(Reference { path, kind, name, key });
    };
    if let Some(account) = &pods.spec.service_account_name {
        named(pods.at("spec.serviceAccountName"), "ServiceAccount", account, None);
    }
    if let Some(relay) = pods.annotations.get(RELAY) {
        named(pods.at(&format!("metadata.annotations[{RELAY}]")), "Relay", relay, None);
    }
    for volume in pods.spec.volumes.iter().flatten() {
        let path = pods.at(&format!("spec.volumes[{}]", volume.name));
        for (kind, name, key) in of_volume(volume) {
            named(path.clone(), kind, &name, key.as_deref());
        }
    }
    for (path, _, container) in pods.containers() {
        for variable in container.env.iter().flatten() {
            let path = format!("{path}.env[{}]", variable.name);
            let source = variable.value_from.as_ref();
            if let Some(secret) = source.and_then(|source| source.secret_key_ref.as_ref()) {
                named(path.clone(), "Secret", &secret.name, Some(&secret.key));
            }
            if let Some(map) = source.and_then(|source| source.config_map_key_ref.as_ref()) {
                named(path, "ConfigMap", &map.name, Some(&map.key));
            }
        }
        for source in container.env_from.iter().flatten() {
            if let Some(secret) = &source.secret_ref {
                named(format!("{path}.envFrom"), "Secret", &secret.name, None);
            }
            if let Some(map) = &source.config_map_ref {
                named(format!("{path}.envFrom"), "ConfigMap", &map.name, None);
            }
        }
    }
    references
}

/// Kind, name and key of what a volume holds and what is not optional.
fn of_volume(volume: &Volume) -> Vec<(&'static str, String, Option<String>)> {
    let mut found = Vec::new();
    let mut object = |kind, name: Option<&String>, optional: Option<bool>, keys: Vec<&String>| {
        let Some(name) = name.filter(|_| optional != Some(true)) else { return };
        found.push((kind, name.clone(), None));
        found.extend(keys.into_iter().map(|key| (kind, name.clone(), Some(key.clone()))));
    };
    if let Some(secret) = &volume.secret {
        let keys = secret.items.iter().flatten().map(|item| &item.key).collect();
        object("Secret", secret.secret_name.as_ref(), secret.optional, keys);
    }
    if let Some(map) = &volume.config_map {
        let keys = map.items.iter().flatten().map(|item| &item.key).collect();
        object("ConfigMap", Some(&map.name), map.optional, keys);
    }
    if let Some(claim) = &volume.persistent_volume_claim {
        object("PersistentVolumeClaim", Some(&claim.claim_name), None, Vec::new());
    }
    let projected = volume.projected.as_ref().and_then(|projected| projected.sources.as_ref());
    for source in projected.into_iter().flatten() {
        if let Some(secret) = &source.secret {
            let keys = secret.items.iter().flatten().map(|item| &item.key).collect();
            object("Secret", Some(&secret.name), secret.optional, keys);
        }
        if let Some(map) = &source.config_map {
            let keys = map.items.iter().flatten().map(|item| &item.key).collect();
            object("ConfigMap", Some(&map.name), map.optional, keys);
        }
    }
    found
}

/// `{secret: {name, key}}` and `{configMap: {name, key}}`, wherever they stand.
fn of_relay(path: &str, value: &Value, references: &mut Vec<Reference>) {
    let Some(members) = value.as_object() else { return };
    for (member, value) in members {
        let path = format!("{path}.{member}");
        let kind = match member.as_str() {
            "secret" => "Secret",
            "configMap" => "ConfigMap",
            _ => {
                of_relay(&path, value, references);
                continue;
            }
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        if let (Some(name), key) = (text(&value["name"]), text(&value["key"])) {
            references.push(Reference { path, kind, name, key });
        }
    }
}
