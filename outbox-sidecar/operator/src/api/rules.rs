//! What the API server checks beyond the form of single fields, by CEL.

use serde_json::{Map, Value, json};

/// How many outboxes and inboxes one relay has at most; the API server limits
/// the cost of rules over lists.
const MOST_PARTS: u32 = 32;

/// The rule on the whole object.
pub(super) fn of_object() -> Value {
    rules(&[(
        "self.metadata.name.size() <= 63",
        "a relay's name has at most 63 characters, since it becomes the value of a label",
    )])
}

/// Adds the rules to the schema of `spec`.
pub(super) fn add(spec: &mut Value) {
    references(spec);
    set(
        spec,
        "",
        &[
            (
                "(has(self.outboxes) && self.outboxes.size() > 0) || (has(self.inboxes) && self.inboxes.size() > 0)",
                "there is neither an outbox nor an inbox, so nothing to do",
            ),
            (
                "has(self.database) || !((has(self.outboxes) && self.outboxes.size() > 0) || (has(self.inboxes) && self.inboxes.exists(i, i.table != 'none')))",
                "database is missing, and there is an outbox, or an inbox with a table",
            ),
            (
                "!has(self.database) || (has(self.outboxes) && self.outboxes.size() > 0) || !has(self.inboxes) || self.inboxes.size() == 0 || self.inboxes.exists(i, i.table != 'none')",
                "there is no outbox, and no inbox with a table, so nothing to use database for; leave it out",
            ),
        ],
    );
    list(spec, "/properties/outboxes");
    set(
        spec,
        "/properties/outboxes",
        &[(
            "self.all(o, self.exists_one(other, other.table == o.table))",
            "two outboxes have the same table; each would delete rows that the other has not published",
        )],
    );
    set(
        spec,
        "/properties/outboxes/items",
        &[
            (
                "(has(self.buckets) ? self.buckets : 8) == (has(oldSelf.buckets) ? oldSelf.buckets : 8)",
                "buckets cannot change once the sidecar has run; use a new outbox with a table of its own",
            ),
            ("has(self.topic) || has(self.preset)", "topic is missing, and no preset has one"),
        ],
    );
    list(spec, "/properties/inboxes");
    set(
        spec,
        "/properties/inboxes",
        &[(
            "self.all(i, !has(i.consumerGroup) || self.exists_one(other, has(other.consumerGroup) && other.consumerGroup == i.consumerGroup))",
            "two inboxes have the same consumerGroup; members of one group would share its messages",
        )],
    );
    set(
        spec,
        "/properties/inboxes/items",
        &[
            (
                "self.table == 'none' || has(self.consumerGroup)",
                "consumerGroup is missing; only an inbox with `table: none` has none",
            ),
            (
                "self.table == 'none' || !has(self.deliver.giveUpAfter)",
                "deliver.giveUpAfter makes no sense with a table, which loses nothing",
            ),
            (
                "self.table != 'none' || !(has(self.consumerGroup) || has(self.retention))",
                "consumerGroup and retention make no sense with `table: none`, as every sidecar reads everything and nothing is kept",
            ),
            (
                "self.table != 'none' || !(has(self.deliver.maximumAttempts) || has(self.deliver.maximumCrashes) || has(self.deliver.deadLetterTopic))",
                "maximumAttempts, maximumCrashes and deadLetterTopic make no sense with `table: none`, where deliver.giveUpAfter says how long a message is tried",
            ),
        ],
    );
    set(
        spec,
        "/properties/outboxes/items/properties/lease",
        &[(
            "!self.matches('^ *([0-9]{1,3} *(ms|msec|millis)|[0-9]+ *(ns|nsec|nanos|us|usec|micros)|0+ *[a-z]+) *$')",
            "must be at least 1s",
        )],
    );
    set(
        spec,
        "/properties/kafka/properties/tls",
        &[("has(self.certificate) == has(self.key)", "certificate and key go together")],
    );
    bound(spec, "/properties/outboxes/items/properties/table", "maxLength", 127);
    bound(spec, "/properties/outboxes/items/properties/lease", "maxLength", 32);
    bound(spec, "/properties/inboxes/items/properties/table", "maxLength", 127);
    bound(spec, "/properties/inboxes/items/properties/consumerGroup", "maxLength", 255);
}

/// Lists of parts are keyed by name: server-side apply then merges them by it,
/// and a name used twice is refused.
fn list(spec: &mut Value, pointer: &str) {
    if let Some(list) = spec.pointer_mut(pointer).and_then(Value::as_object_mut) {
        list.insert("x-kubernetes-list-type".into(), json!("map"));
        list.insert("x-kubernetes-list-map-keys".into(), json!(["name"]));
        list.insert("maxItems".into(), json!(MOST_PARTS));
    }
}

fn bound(spec: &mut Value, pointer: &str, key: &str, value: u32) {
    if let Some(schema) = spec.pointer_mut(pointer).and_then(Value::as_object_mut) {
        schema.entry(key).or_insert(json!(value));
    }
}

fn set(spec: &mut Value, pointer: &str, added: &[(&str, &str)]) {
    if let Some(schema) = spec.pointer_mut(pointer).and_then(Value::as_object_mut) {
        let Value::Array(added) = rules(added) else { return };
        let present = schema.entry("x-kubernetes-validations").or_insert_with(|| json!([]));
        if let Some(present) = present.as_array_mut() {
            present.extend(added);
        }
    }
}

fn rules(rules: &[(&str, &str)]) -> Value {
    rules.iter().map(|(rule, message)| json!({ "rule": rule, "message": message })).collect()
}

/// Every object that offers `secret` and `configMap` is a reference. What else
/// it offers is for a file, and stays in the schema only so that the refusal can
/// say what to write instead.
fn references(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    let offered = schema.get("properties").and_then(Value::as_object);
    if let Some(offered) =
        offered.filter(|p| p.contains_key("secret") && p.contains_key("configMap"))
    {
        let elsewhere: Vec<_> =
            ["env", "file"].into_iter().filter(|k| offered.contains_key(*k)).collect();
        reference(schema, &elsewhere);
        return;
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(references);
    }
    if let Some(items) = schema.get_mut("items") {
        references(items);
    }
}

fn reference(schema: &mut Map<String, Value>, elsewhere: &[&str]) {
    const INSTEAD: &str = "write { secret: { name, key } } or { configMap: { name, key } }";
    for key in ["oneOf", "anyOf", "allOf", "required"] {
        schema.remove(key);
    }
    let entry = |what: &str| {
        json!({
            "type": "object",
            "description": format!("An entry of a {what} in the relay's namespace."),
            "required": ["name", "key"],
            "properties": {
                "name": {
                    "type": "string", "minLength": 1, "maxLength": 253,
                    "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
                    "description": format!("The {what}'s name."),
                },
                "key": {
                    "type": "string", "minLength": 1, "maxLength": 253,
                    "pattern": "^[-._a-zA-Z0-9]+$",
                    "description": "The entry's name in it.",
                },
            },
            "x-kubernetes-map-type": "atomic",
        })
    };
    let mut properties = Map::new();
    properties.insert("secret".into(), entry("Secret"));
    properties.insert("configMap".into(), entry("ConfigMap"));
    let mut checks = Vec::new();
    for name in elsewhere {
        let description = format!("Not in a Relay: {INSTEAD}.");
        properties.insert(
            (*name).into(),
            json!({ "type": "string", "maxLength": 4096, "description": description }),
        );
        checks.push((
            format!("!has(self.{name})"),
            format!("`{name}` cannot be used in a Relay; {INSTEAD}"),
        ));
    }
    let absent: Vec<_> = elsewhere.iter().map(|name| format!("!has(self.{name})")).collect();
    // Says nothing where one of the above has said it.
    let exactly_one =
        format!("({}) ? has(self.secret) != has(self.configMap) : true", absent.join(" && "));
    checks.push((exactly_one, format!("{INSTEAD}, one of them")));
    let checks: Vec<_> =
        checks.iter().map(|(rule, message)| (rule.as_str(), message.as_str())).collect();
    schema.insert("type".into(), json!("object"));
    schema.insert("properties".into(), Value::Object(properties));
    schema.insert("x-kubernetes-validations".into(), rules(&checks));
}
