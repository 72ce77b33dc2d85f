//! Whether a `Relay` is one: by the schema of its CRD, as the API server looks
//! at it, and by the sidecar's own parser.

use jsonschema::{Draft, Validator};
use outbox_sidecar_core::config::Config;
use serde_json::Value;

use crate::{Manifest, Problem};

/// The group of the CRD.
const GROUP: &str = "outbox-sidecar.dev";

/// The schemas of the CRD, by version.
#[derive(Debug, Default)]
pub struct Schemas(Vec<(String, Validator)>);

/// A CRD that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{object}: its schema cannot be used: {problem}")]
pub struct UnusableSchema {
    object: String,
    problem: String,
}

impl Schemas {
    /// Takes the schemas of the `Relay` CRD out of `manifests`; other objects are
    /// left alone.
    ///
    /// # Errors
    /// The CRD holds something that is no schema.
    pub fn from_manifests<'m>(
        manifests: impl IntoIterator<Item = &'m Manifest>,
    ) -> Result<Self, UnusableSchema> {
        let mut schemas = Self::default();
        for manifest in manifests {
            let spec = &manifest.value["spec"];
            if manifest.kind() != "CustomResourceDefinition" || spec["group"] != GROUP {
                continue;
            }
            for version in spec["versions"].as_array().into_iter().flatten() {
                let schema = &version["schema"]["openAPIV3Schema"];
                let validator =
                    jsonschema::options().with_draft(Draft::Draft202012).build(schema).map_err(
                        |err| UnusableSchema { object: manifest.id(), problem: err.to_string() },
                    )?;
                let name = version["name"].as_str().unwrap_or_default();
                schemas.0.push((format!("{GROUP}/{name}"), validator));
            }
        }
        Ok(schemas)
    }

    /// Checks `manifest` if it is a `Relay`.
    pub fn check(&self, manifest: &Manifest) -> Vec<Problem> {
        if manifest.kind() != "Relay" || !manifest.api_version().starts_with(GROUP) {
            return Vec::new();
        }
        let mut problems = Vec::new();
        match self.0.iter().find(|(version, _)| version == manifest.api_version()) {
            Some((_, validator)) => {
                problems.extend(validator.iter_errors(&manifest.value).map(|err| {
                    let path = err.instance_path().to_string().replace('/', ".");
                    Problem::new(manifest, path.trim_start_matches('.'), err.to_string())
                }));
            }
            None if self.0.is_empty() => problems.push(Problem::new(
                manifest,
                "",
                "the CRD is not known: name its file with --crd",
            )),
            None => {
                problems.push(Problem::new(manifest, "apiVersion", "the CRD has no such version"))
            }
        }
        problems.extend(refused_by_sidecar(&manifest.value["spec"]).map(|problem| {
            Problem::new(manifest, "spec", format!("the sidecar refuses it: {problem}"))
        }));
        problems
    }
}

/// Unknown fields and what no schema can say.
fn refused_by_sidecar(spec: &Value) -> Option<String> {
    let parsed = Config::parse(&spec.to_string());
    parsed.and_then(|config| config.in_cluster()).err().map(|err| err.to_string())
}
