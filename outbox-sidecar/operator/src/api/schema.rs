//! From the schema of the configuration to one that the API server takes.

use outbox_sidecar_core::config;
use serde_json::{Map, Value, json};

/// Formats that Kubernetes knows, of those that schemars writes.
const KNOWN_FORMATS: [&str; 3] = ["int32", "int64", "date-time"];

/// The structural schema of `spec`, without rules.
pub(super) fn spec() -> Value {
    let mut schema = config::schema().to_value();
    clean(&mut schema);
    schema
}

/// The schema of `status`.
pub(super) fn status() -> Value {
    let text = |longest: u32| json!({ "type": "string", "maxLength": longest });
    let time = json!({
        "type": "string", "format": "date-time", "description": "When `status` last changed.",
    });
    let condition = json!({
        "type": "object",
        "required": ["type", "status", "reason", "message", "lastTransitionTime"],
        "properties": {
            "type": text(316),
            "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
            "reason": text(1024),
            "message": text(32768),
            "lastTransitionTime": time,
            "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
        },
    });
    let count = |description: &str| json!({ "type": "integer", "format": "int32", "description": description });
    json!({
        "type": "object",
        "description": "How the relay fares, written by the operator.",
        "properties": {
            "observedGeneration": {
                "type": "integer", "format": "int64",
                "description": "The generation of the spec that all of this is about.",
            },
            "conditions": {
                "type": "array",
                "description": "Ready, Injected, OutboxFlowing and InboxFlowing.",
                "items": condition,
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
            "pods": {
                "type": "object",
                "description": "The pods that ask for this relay.",
                "properties": {
                    "desired": count("How many ask for a sidecar."),
                    "injected": count("How many of them have it."),
                },
            },
        },
    })
}

/// Takes out what the API server does not know or must not get: titles,
/// formats of other languages, and defaults. The sidecar has the defaults; here
/// they would be written into every stored object and stay there.
fn clean(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    for key in ["$schema", "title", "default", "components"] {
        schema.remove(key);
    }
    let known = |format: &Value| format.as_str().is_some_and(|f| KNOWN_FORMATS.contains(&f));
    if schema.get("format").is_some_and(|format| !known(format)) {
        schema.remove("format");
    }
    if schema.get("type") == Some(&json!("integer")) {
        whole_numbers(schema);
    }
    if schema.contains_key("properties") {
        schema.remove("additionalProperties");
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(clean);
    }
    for key in ["items", "additionalProperties", "not"] {
        if let Some(inner) = schema.get_mut(key) {
            clean(inner);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(inner) = schema.get_mut(key).and_then(Value::as_array_mut) {
            inner.iter_mut().for_each(clean);
        }
    }
}

/// Bounds are written as `0.0` by some versions of the generator.
fn whole_numbers(schema: &mut Map<String, Value>) {
    for key in ["minimum", "maximum"] {
        if let Some(bound) = schema.get_mut(key)
            && let Some(whole) = bound.as_f64().filter(|bound| bound.fract() == 0.0)
        {
            *bound = json!(whole as i64);
        }
    }
}
