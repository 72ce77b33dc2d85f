//! The custom resource definition: what is committed, and what its rules refuse.

use outbox_operator::{api::custom_resource_definition, yaml};
use serde_json::{Value, json};

const COMMITTED: &str = include_str!("../../../../k8s/crd/relays.outbox-sidecar.dev.yaml");

#[test]
fn the_committed_definition_is_the_one_that_is_generated() {
    let generated = yaml::print(&custom_resource_definition()).unwrap();
    assert!(
        generated == COMMITTED,
        "k8s/crd/relays.outbox-sidecar.dev.yaml is not what `outbox-operator crd` prints; run `make crd`"
    );
}

fn schema() -> Value {
    custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// A `spec` that uses everything.
fn full() -> Value {
    let secret = |key: &str| json!({ "secret": { "name": "kafka", "key": key } });
    json!({
        "database": {
            "url": { "secret": { "name": "db", "key": "url" } },
            "ca": { "configMap": { "name": "db-ca", "key": "ca.crt" } },
        },
        "kafka": {
            "bootstrapServers": ["kafka:9093"],
            "tls": { "ca": secret("ca.crt"), "certificate": secret("tls.crt"), "key": secret("tls.key") },
            "sasl": { "mechanism": "PLAIN", "username": secret("user"), "password": secret("password") },
        },
        "outboxes": [
            { "name": "orders", "table": "outbox", "topic": "orders", "lease": "5s" },
            { "name": "others", "table": "other.outbox", "topic": "{topic}", "buckets": 4 },
        ],
        "inboxes": [{
            "name": "updates", "table": "inbox", "topics": ["updates"], "consumerGroup": "orders",
            "deliver": { "url": "http://127.0.0.1:8091/inbox" },
        }],
    })
}

fn relay(spec: Value) -> Value {
    json!({ "metadata": { "name": "shop" }, "spec": spec })
}

fn refusals(object: &Value, old: Option<&Value>) -> Vec<String> {
    match kube_cel::Validator::new().validate(&schema(), object, old) {
        Ok(()) => Vec::new(),
        Err(errors) => {
            errors.as_slice().iter().map(|e| format!("{}: {}", e.field_path, e.message)).collect()
        }
    }
}

fn refused(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut spec = full();
    change(&mut spec);
    refusals(&relay(spec), None)
}

#[test]
fn a_relay_that_uses_everything_breaks_no_rule() {
    assert_eq!(refused(|_| ()), Vec::<String>::new());
}

#[test]
fn a_refusal_says_which_field_and_what_to_write() {
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, &str, Change<'_>); 8] = [
        ("spec", "there is neither an outbox nor an inbox", &|spec| {
            spec["outboxes"] = json!([]);
            spec["inboxes"] = json!([]);
        }),
        ("spec.database.url", "`env` cannot be used in a Relay; write { secret: {", &|spec| {
            spec["database"]["url"] = json!({ "env": "DATABASE_URL" });
        }),
        ("spec.database.ca", "`file` cannot be used in a Relay; write { secret: {", &|spec| {
            spec["database"]["ca"] = json!({ "file": "/etc/ca.pem" });
        }),
        ("spec.kafka.sasl.password", "write { secret: { name, key } } or { configMap", &|spec| {
            spec["kafka"]["sasl"]["password"] = json!({});
        }),
        ("spec.kafka.tls", "certificate and key go together", &|spec| {
            spec["kafka"]["tls"].as_object_mut().unwrap().remove("key");
        }),
        ("spec.outboxes", "two outboxes have the same table", &|spec| {
            spec["outboxes"][1]["table"] = json!("outbox");
        }),
        ("spec.inboxes", "two inboxes have the same consumerGroup", &|spec| {
            let mut again = spec["inboxes"][0].clone();
            again["name"] = json!("again");
            spec["inboxes"].as_array_mut().unwrap().push(again);
        }),
        ("spec.outboxes[0].lease", "must be at least 1s", &|spec| {
            spec["outboxes"][0]["lease"] = json!("999ms");
        }),
    ];
    for (path, message, change) in cases {
        let refused = refused(change);
        assert_eq!(refused.len(), 1, "{path}: {refused:?}");
        assert!(refused[0].starts_with(&format!("{path}: {message}")), "{refused:?}");
    }
}

#[test]
fn leases_are_compared_in_all_their_spellings() {
    for short in ["0s", "1ms", "10 ms", "500 millis", "999999us", "1ns"] {
        assert_eq!(refused(|spec| spec["outboxes"][0]["lease"] = json!(short)).len(), 1, "{short}");
    }
    for long in ["1s", "1000ms", "1m 30s", "10s"] {
        assert_eq!(refused(|spec| spec["outboxes"][0]["lease"] = json!(long)).len(), 0, "{long}");
    }
}

#[test]
fn a_name_too_long_for_a_label_is_refused() {
    let mut object = relay(full());
    object["metadata"]["name"] = json!("a".repeat(64));
    assert_eq!(refusals(&object, None).len(), 1);
}

#[test]
fn every_rule_compiles() {
    let schema = kube_cel::compile_schema(&schema());
    assert!(!schema.has_errors(), "{:?}", schema.compilation_errors());
}

/// Every schema in the definition, with its path.
fn schemas(schema: &Value, path: String, found: &mut Vec<(String, Value)>) {
    found.push((path.clone(), schema.clone()));
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        schemas(inner, format!("{path}.{name}"), found);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            schemas(&schema[key], format!("{path}.{key}"), found);
        }
    }
}

#[test]
fn the_schema_is_structural_and_stores_no_defaults() {
    let mut found = Vec::new();
    schemas(&schema(), String::new(), &mut found);
    assert!(found.len() > 50);
    for (path, schema) in found {
        assert!(schema["type"].is_string(), "{path} has no single type: {schema}");
        assert!(schema.get("default").is_none(), "{path} has a default");
        assert!(schema.get("$ref").is_none(), "{path} is a reference");
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            assert!(schema.get(alternatives).is_none(), "{path} has alternatives");
        }
        let format = schema["format"].as_str();
        assert!(
            matches!(format, None | Some("int32" | "int64" | "date-time")),
            "{path}: {format:?}"
        );
    }
}
