//! The JSON patch that puts a sidecar into a pod.

use json_patch::{AddOperation, Patch, PatchOperation, jsonptr::PointerBuf};
use serde_json::{Value, json};

use super::Sidecar;
use crate::names::{INJECTED, RELAY};

pub(super) fn patch(pod: &Value, relay: &str, sidecar: &Sidecar) -> Patch {
    let mut patch = Builder { pod, operations: Vec::new() };
    patch.entry("annotations", INJECTED, &sidecar.fingerprint.to_string());
    patch.entry("labels", RELAY, relay);
    // At the end: the application's own init containers, such as migrations, come first.
    patch.append("initContainers", &sidecar.container);
    patch.append("volumes", &sidecar.volume);
    Patch(patch.operations)
}

struct Builder<'a> {
    pod: &'a Value,
    operations: Vec<PatchOperation>,
}

impl Builder<'_> {
    /// Sets `metadata.<map>[key]`.
    fn entry(&mut self, map: &str, key: &str, value: &str) {
        if self.pod["metadata"][map].is_object() {
            self.add(&["metadata", map, key], json!(value));
        } else {
            self.add(&["metadata", map], json!({ key: value }));
        }
    }

    /// Adds to the end of `spec.<list>`.
    fn append(&mut self, list: &str, item: &Value) {
        if self.pod["spec"][list].is_array() {
            self.add(&["spec", list, "-"], item.clone());
        } else {
            self.add(&["spec", list], json!([item]));
        }
    }

    fn add(&mut self, path: &[&str], value: Value) {
        let path = PointerBuf::from_tokens(path.iter().copied());
        self.operations.push(PatchOperation::Add(AddOperation { path, value }));
    }
}
