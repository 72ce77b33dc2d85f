//! The `CustomResourceDefinition`.

use serde_json::{Value, json};

use super::{rules, schema};
use crate::names::{GROUP, KIND, PLURAL, VERSION};

/// What `outbox-operator crd` prints.
pub fn custom_resource_definition() -> Value {
    let mut spec = schema::spec();
    rules::add(&mut spec);
    if let Some(spec) = spec.as_object_mut() {
        spec.insert(
            "description".into(),
            json!("What the sidecar is told; see docs/configuration.md."),
        );
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": format!("{PLURAL}.{GROUP}") },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": { "kind": KIND, "listKind": "RelayList", "plural": PLURAL, "singular": "relay" },
            "versions": [{
                "name": VERSION,
                "served": true,
                "storage": true,
                "subresources": { "status": {} },
                "additionalPrinterColumns": columns(),
                "schema": { "openAPIV3Schema": {
                    "type": "object",
                    "description": "The outbox sidecar of a workload: pods ask for it by the annotation outbox-sidecar.dev/relay.",
                    "required": ["spec"],
                    "properties": {
                        "apiVersion": { "type": "string" },
                        "kind": { "type": "string" },
                        "metadata": { "type": "object" },
                        "spec": spec,
                        "status": schema::status(),
                    },
                    "x-kubernetes-validations": rules::of_object(),
                } },
            }],
        },
    })
}

fn columns() -> Value {
    let ready = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
    json!([
        { "name": "Ready", "type": "string", "jsonPath": ready("status") },
        { "name": "Reason", "type": "string", "jsonPath": ready("reason") },
        { "name": "Pods", "type": "integer", "jsonPath": ".status.pods.injected",
          "description": "Running pods that have the sidecar." },
        { "name": "Desired", "type": "integer", "jsonPath": ".status.pods.desired", "priority": 1,
          "description": "Running pods that ask for it." },
        { "name": "Message", "type": "string", "jsonPath": ready("message"), "priority": 1 },
        { "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp" },
    ])
}
