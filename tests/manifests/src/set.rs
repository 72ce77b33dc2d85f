//! Objects that are installed together, and what else there will be.

use serde_json::Value;

use crate::{Manifest, pods::Pods};

/// Objects that refer to one another.
#[derive(Debug)]
pub struct Set<'a> {
    manifests: &'a [Manifest],
    pods: Vec<Pods<'a>>,
    made_by_others: Vec<(&'static str, String)>,
    external: Vec<(String, String)>,
}

/// An object that is supposed to exist beside the set was named wrongly.
#[derive(Debug, thiserror::Error)]
#[error("`{0}`: write Kind/name")]
pub struct NotAnObject(String);

impl<'a> Set<'a> {
    /// The set of `manifests`, where also exist the objects `external`, each
    /// named `Kind/name`; a name may end in `*`.
    ///
    /// # Errors
    /// A member of `external` is not of that form.
    pub fn new(manifests: &'a [Manifest], external: &[String]) -> Result<Self, NotAnObject> {
        let external = external.iter().map(|object| {
            let (kind, name) = object.split_once('/').ok_or_else(|| NotAnObject(object.clone()))?;
            Ok((kind.to_owned(), name.to_owned()))
        });
        Ok(Self {
            manifests,
            pods: manifests.iter().filter_map(Pods::of).collect(),
            made_by_others: manifests.iter().flat_map(made_by_others).collect(),
            external: external.collect::<Result<_, _>>()?,
        })
    }

    /// Every object.
    pub fn manifests(&self) -> &'a [Manifest] {
        self.manifests
    }

    /// Every kind of pod.
    pub fn pods(&self) -> &[Pods<'a>] {
        &self.pods
    }

    /// The pods in a namespace that have all of these labels.
    pub fn selected(&self, namespace: &str, labels: &Value) -> Vec<&Pods<'a>> {
        let labels = labels.as_object();
        self.pods
            .iter()
            .filter(|pods| pods.manifest.namespace() == namespace)
            .filter(|pods| {
                labels.into_iter().flatten().all(|(name, value)| {
                    pods.labels.get(name).map(String::as_str) == value.as_str()
                })
            })
            .collect()
    }

    /// The object of this kind and name. Objects of no namespace are found from
    /// any.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Manifest> {
        self.manifests.iter().find(|manifest| {
            manifest.kind() == kind
                && manifest.name() == name
                && (manifest.namespace() == namespace || manifest.namespace().is_empty())
        })
    }

    /// Whether there is such an object: in the set, made by a controller for one
    /// of the set, or said to exist beside it.
    pub fn exists(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.find(kind, namespace, name).is_some()
            || self.made_by_others.iter().any(|made| *made == (kind, name.to_owned()))
            || self.external.iter().any(|(external_kind, pattern)| {
                external_kind == kind
                    && pattern
                        .strip_suffix('*')
                        .map_or(pattern == name, |prefix| name.starts_with(prefix))
            })
    }
}

/// What controllers make for an object.
fn made_by_others(manifest: &Manifest) -> Vec<(&'static str, String)> {
    let name = manifest.name();
    let group = manifest.api_version().split('/').next().unwrap_or_default();
    match (group, manifest.kind()) {
        ("postgresql.cnpg.io", "Cluster") => {
            vec![("Secret", format!("{name}-app")), ("Secret", format!("{name}-ca"))]
        }
        ("kafka.strimzi.io", "Kafka") => vec![("Secret", format!("{name}-cluster-ca-cert"))],
        ("kafka.strimzi.io", "KafkaUser") => vec![("Secret", name.to_owned())],
        ("outbox-sidecar.dev", "Relay") => vec![("ConfigMap", format!("{name}-outbox-sidecar"))],
        ("cert-manager.io", "Certificate") => {
            let secret = manifest.value["spec"]["secretName"].as_str();
            secret.map(|secret| ("Secret", secret.to_owned())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}
