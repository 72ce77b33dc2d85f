//! Gives a pod its sidecar: from pod, relay and defaults to a JSON patch,
//! without I/O.
//!
//! The patch only adds, and adds nothing to a pod that has a sidecar, so the
//! API server may call the webhook as often as it likes. A pod is never refused:
//! what cannot be done becomes a warning.

mod manifest;
mod overrides;
mod patch;
mod quantity;
mod sidecar;

use json_patch::Patch;
use outbox_sidecar_core::config::cluster::Mounted;
use serde_json::Value;

pub use manifest::{ManifestError, inject_manifests};
pub use sidecar::{Fingerprint, Sidecar};

use crate::names::{RELAY, SIDECAR, is_relay_name};

/// What a sidecar gets unless its pod says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// The image.
    pub image: String,
    /// When it is pulled; absent: as Kubernetes decides.
    pub image_pull_policy: Option<String>,
    /// `ResourceRequirements`.
    pub resources: Value,
}

/// A relay that can be injected.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Its name.
    pub relay: &'a str,
    /// Its configuration.
    pub mounted: &'a Mounted,
}

/// What became of a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Injection {
    /// It is to be changed.
    Patched {
        /// How.
        patch: Patch,
        /// What the user should know.
        warnings: Vec<String>,
    },
    /// It stays as it is.
    Skipped(Skip),
}

/// Why a pod stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It has a container of the sidecar's name.
    AlreadyInjected,
    /// It has a volume of the sidecar's name, which is not the sidecar's.
    VolumeNameTaken,
    /// The sidecar is a Linux program.
    Windows,
}

impl Skip {
    /// What the user should know, if anything.
    pub fn warning(self) -> Option<String> {
        match self {
            Self::AlreadyInjected => None,
            Self::VolumeNameTaken => Some(format!(
                "no outbox sidecar: the pod has a volume `{SIDECAR}` of its own; rename it"
            )),
            Self::Windows => Some("no outbox sidecar: it does not run on Windows".to_owned()),
        }
    }
}

/// Which relay a pod asks for, by the annotation on `metadata`.
pub fn requested(metadata: &Value) -> Option<Result<&str, String>> {
    let value = metadata.get("annotations")?.get(RELAY)?;
    Some(match value.as_str() {
        Some(name) if is_relay_name(name) => Ok(name),
        _ => Err(format!("annotation {RELAY}: {value} is not the name of a Relay")),
    })
}

/// What has to be done to `pod`, an object with `metadata` and `spec`; a pod
/// template is one too.
pub fn inject(pod: &Value, wanted: Wanted<'_>, defaults: &Defaults) -> Injection {
    if let Some(skip) = reason_to_skip(&pod["spec"]) {
        return Injection::Skipped(skip);
    }
    let sidecar = Sidecar::new(&pod["metadata"]["annotations"], wanted, defaults);
    Injection::Patched {
        patch: patch::patch(pod, wanted.relay, &sidecar),
        warnings: sidecar.warnings,
    }
}

fn reason_to_skip(spec: &Value) -> Option<Skip> {
    let named = |list: &str| {
        let items = spec[list].as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().any(|item| item["name"] == SIDECAR)
    };
    if named("initContainers") || named("containers") {
        Some(Skip::AlreadyInjected)
    } else if named("volumes") {
        Some(Skip::VolumeNameTaken)
    } else if spec["os"]["name"] == "windows" {
        Some(Skip::Windows)
    } else {
        None
    }
}
