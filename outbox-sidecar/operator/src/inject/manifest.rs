//! Injection into manifests, for clusters without the webhook.

use outbox_sidecar_core::config::cluster::Mounted;
use serde_json::{Value, json};

use super::{Defaults, Injection, Wanted, inject, requested};
use crate::{
    api::{InvalidSpec, RelaySpec},
    controller::config_map,
    names::{GROUP, KIND},
    yaml::YamlError,
};

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A document given as a relay is none.
    #[error("a document is not a {KIND} with a metadata.name (apiVersion {GROUP}/…)")]
    NotARelay,
    /// A relay is not valid.
    #[error("Relay {name}: {problem}")]
    InvalidRelay {
        /// The relay's name.
        name: String,
        /// What is wrong with it.
        problem: InvalidSpec,
    },
    /// A pod asks for a relay that was not given.
    #[error("{object} asks for the Relay {relay}, which is not given; add --relay FILE")]
    MissingRelay {
        /// The workload.
        object: String,
        /// The relay's name.
        relay: String,
    },
    /// A pod asks for a relay that there cannot be.
    #[error("{object}: {problem}")]
    BadAnnotation {
        /// The workload.
        object: String,
        /// What is wrong.
        problem: String,
    },
    /// A relay's configuration cannot be written.
    #[error(transparent)]
    Yaml(#[from] YamlError),
}

struct Relay {
    name: String,
    namespace: Option<String>,
    spec: RelaySpec,
    mounted: Mounted,
    used: bool,
}

/// Injects into every pod and workload of `documents` that asks for one of
/// `relays`, and adds the `ConfigMap` of each relay used. Other documents pass
/// through. Returns the documents and warnings.
///
/// # Errors
/// A relay is not valid, or one is asked for that was not given.
pub fn inject_manifests(
    relays: &[Value],
    documents: Vec<Value>,
    defaults: &Defaults,
) -> Result<(Vec<Value>, Vec<String>), ManifestError> {
    let mut relays = relays.iter().map(Relay::read).collect::<Result<Vec<_>, _>>()?;
    let mut warnings = Vec::new();
    let mut injected = documents;
    for document in &mut injected {
        document_in_place(document, &mut relays, defaults, &mut warnings)?;
    }
    for relay in relays.iter().filter(|relay| relay.used) {
        let mut map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": crate::names::config_map(&relay.name) },
            "data": config_map::data(&relay.spec, &relay.mounted)?,
        });
        if let Some(namespace) = &relay.namespace {
            map["metadata"]["namespace"] = json!(namespace);
        }
        injected.push(map);
    }
    Ok((injected, warnings))
}

impl Relay {
    fn read(document: &Value) -> Result<Self, ManifestError> {
        let group = document["apiVersion"].as_str().and_then(|version| version.split_once('/'));
        let name = document["metadata"]["name"].as_str();
        let (Some((GROUP, _)), Some(KIND), Some(name)) = (group, document["kind"].as_str(), name)
        else {
            return Err(ManifestError::NotARelay);
        };
        let spec = RelaySpec(document["spec"].clone());
        let mounted = spec
            .mounted()
            .map_err(|problem| ManifestError::InvalidRelay { name: name.to_owned(), problem })?;
        let namespace = document["metadata"]["namespace"].as_str().map(str::to_owned);
        Ok(Self { name: name.to_owned(), namespace, spec, mounted, used: false })
    }
}

fn document_in_place(
    document: &mut Value,
    relays: &mut [Relay],
    defaults: &Defaults,
    warnings: &mut Vec<String>,
) -> Result<(), ManifestError> {
    if document["kind"] == "List" {
        for item in document["items"].as_array_mut().into_iter().flatten() {
            document_in_place(item, relays, defaults, warnings)?;
        }
        return Ok(());
    }
    let object = format!(
        "{}/{}",
        document["kind"].as_str().unwrap_or_default(),
        document["metadata"]["name"].as_str().unwrap_or_default()
    );
    let namespace = document["metadata"]["namespace"].as_str().map(str::to_owned);
    let Some(pod) = pod_of(document) else { return Ok(()) };
    let wanted = match requested(&pod["metadata"]) {
        None => return Ok(()),
        Some(Err(problem)) => return Err(ManifestError::BadAnnotation { object, problem }),
        Some(Ok(name)) => name.to_owned(),
    };
    // Namespaces are often left out of manifests; two that are given must agree.
    let same_namespace = |relay: &Relay| match (&relay.namespace, &namespace) {
        (Some(relay), Some(pod)) => relay == pod,
        _ => true,
    };
    let Some(relay) = relays.iter_mut().find(|r| r.name == wanted && same_namespace(r)) else {
        return Err(ManifestError::MissingRelay { object, relay: wanted });
    };
    relay.used = true;
    match inject(pod, Wanted { relay: &relay.name, mounted: &relay.mounted }, defaults) {
        Injection::Skipped(skip) => {
            warnings.extend(skip.warning().map(|warning| format!("{object}: {warning}")));
        }
        Injection::Patched { patch, warnings: new } => {
            warnings.extend(new.into_iter().map(|warning| format!("{object}: {warning}")));
            // Paths of a patch made for this very object are there.
            json_patch::patch(pod, &patch).map_err(|error| ManifestError::BadAnnotation {
                object,
                problem: format!("cannot be injected: {error}"),
            })?;
        }
    }
    Ok(())
}

/// The pod, or the pod template of a workload.
fn pod_of(document: &mut Value) -> Option<&mut Value> {
    let pointer = match document["kind"].as_str()? {
        "Pod" => "",
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => "/spec/template",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => return None,
    };
    document.pointer_mut(pointer)
}
