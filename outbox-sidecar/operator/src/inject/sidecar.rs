//! The container and the volume that a pod is given.

use std::{collections::BTreeMap, fmt};

use outbox_sidecar_core::config::cluster::{CONFIG_FILE, MOUNT_PATH, SourceKind};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Defaults, Wanted, overrides::Overrides};
use crate::names::{CONFIG_KEY, PORT, SIDECAR, config_map};

/// Who may read the files: anyone in the pod that mounts the volume, which is
/// the sidecar alone.
const FILE_MODE: u32 = 0o444;

/// The user and group the image is made for (`nonroot`).
const USER: u32 = 65532;

/// What a pod is given.
#[derive(Clone, Debug)]
pub struct Sidecar {
    /// The native sidecar container.
    pub container: Value,
    /// The volume with its files.
    pub volume: Value,
    /// What was injected, in short.
    pub fingerprint: Fingerprint,
    /// What in the pod's annotations could not be followed.
    pub warnings: Vec<String>,
}

/// What was injected, in short: `<files>-<container>`, each 8 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The files mounted. A pod with other ones cannot follow its relay.
    pub files: String,
    /// All else: image, arguments, port, resources. A pod with another one
    /// works, as it was made.
    pub container: String,
}

impl Sidecar {
    /// The sidecar for a pod with these annotations.
    pub fn new(annotations: &Value, wanted: Wanted<'_>, defaults: &Defaults) -> Self {
        let overrides = Overrides::read(annotations, defaults);
        let volume = volume(wanted);
        let container = container(wanted, defaults, &overrides);
        let fingerprint = Fingerprint { files: hash(&volume), container: hash(&container) };
        Self { container, volume, fingerprint, warnings: overrides.warnings }
    }
}

impl Fingerprint {
    /// Reads the value of the annotation back.
    pub fn parse(text: &str) -> Option<Self> {
        let (files, container) = text.split_once('-')?;
        Some(Self { files: files.to_owned(), container: container.to_owned() })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.files, self.container)
    }
}

fn container(wanted: Wanted<'_>, defaults: &Defaults, overrides: &Overrides) -> Value {
    let probe = |path: &str| json!({ "path": path, "port": PORT });
    let mut container = json!({
        "name": SIDECAR,
        "image": overrides.image.as_ref().unwrap_or(&defaults.image),
        // Makes it a native sidecar: started before the application's
        // containers, stopped after them.
        "restartPolicy": "Always",
        "args": ["run", "--config", format!("{MOUNT_PATH}/{CONFIG_FILE}")],
        "env": [
            { "name": "LOG_FORMAT", "value": overrides.log_format.as_deref().unwrap_or("json") },
            { "name": "RUST_LOG", "value": overrides.log.as_deref().unwrap_or("info") },
        ],
        "ports": [{
            "name": PORT,
            "containerPort": wanted.mounted.config.admin.listen.port(),
            "protocol": "TCP",
        }],
        // The application starts when the sidecar serves, whether or not there
        // is a broker.
        "startupProbe": { "httpGet": probe("/readyz"), "periodSeconds": 1, "failureThreshold": 60 },
        "readinessProbe": { "httpGet": probe("/readyz"), "periodSeconds": 10, "failureThreshold": 3 },
        "livenessProbe": { "httpGet": probe("/healthz"), "periodSeconds": 10, "failureThreshold": 3 },
        "resources": overrides.resources,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "readOnlyRootFilesystem": true,
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        // A folder and not single files, so that changes arrive.
        "volumeMounts": [{ "name": SIDECAR, "mountPath": MOUNT_PATH, "readOnly": true }],
    });
    if let (Some(policy), Some(container)) =
        (&defaults.image_pull_policy, container.as_object_mut())
    {
        container.insert("imagePullPolicy".into(), json!(policy));
    }
    container
}

fn volume(wanted: Wanted<'_>) -> Value {
    let config = json!({ "configMap": {
        "name": config_map(wanted.relay),
        "items": [{ "key": CONFIG_KEY, "path": CONFIG_FILE }],
    }});
    // One projection for each object, with all of its entries.
    let mut objects = BTreeMap::<_, Vec<Value>>::new();
    for source in &wanted.mounted.sources {
        let item = json!({ "key": source.key, "path": source.path() });
        objects.entry((source.kind, &source.name)).or_default().push(item);
    }
    let objects = objects.into_iter().map(|((kind, name), items)| {
        let kind = match kind {
            SourceKind::ConfigMap => "configMap",
            SourceKind::Secret => "secret",
        };
        json!({ kind: { "name": name, "items": items } })
    });
    let sources: Vec<_> = std::iter::once(config).chain(objects).collect();
    json!({ "name": SIDECAR, "projected": { "defaultMode": FILE_MODE, "sources": sources } })
}

fn hash(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    Sha256::digest(text).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The value as text, with keys in order whatever order the map keeps.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in entries {
                text.push_str(&format!("{{{key:?}:"));
                canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
