//! The schema, against what a structural schema may be and against the parser.

use serde_json::{Value, json};

use super::{
    Config,
    schema_check::{problem, walk},
};

fn schema() -> Value {
    super::schema().to_value()
}

#[test]
fn it_is_a_structural_schema() {
    walk(&schema(), "spec", &mut |path, schema| {
        let keywords = schema.as_object().unwrap_or_else(|| panic!("{path} is {schema}"));
        assert!(schema["type"].is_string(), "{path} has not one type");
        for keyword in keywords.keys() {
            let known = [
                "type",
                "description",
                "default",
                "properties",
                "required",
                "items",
                "oneOf",
                "enum",
                "additionalProperties",
                "pattern",
                "format",
                "minimum",
                "maximum",
                "minLength",
                "maxLength",
                "minItems",
                "nullable",
                "x-kubernetes-list-type",
                "x-kubernetes-list-map-keys",
                "title",
            ];
            assert!(known.contains(&keyword.as_str()), "{path} has {keyword}");
        }
        for form in schema["oneOf"].as_array().into_iter().flatten() {
            assert_eq!(
                form.as_object().unwrap().keys().collect::<Vec<_>>(),
                ["required"],
                "{path}"
            );
        }
        if let Some(format) = schema.get("format") {
            assert_eq!(format, "int32", "{path}: the API server knows no other");
        }
        if let Some(default) = schema.get("default") {
            assert_eq!(problem(schema, default, path), None, "the default is not valid");
        }
    });
}

#[test]
fn every_field_is_described() {
    walk(&schema(), "spec", &mut |path, schema| {
        let inner = path.ends_with(".items") || path.ends_with(".additionalProperties");
        if !inner {
            let description = schema["description"].as_str().unwrap_or_default();
            assert!(
                !description.is_empty() && !description.contains('\n'),
                "{path}: {description:?}"
            );
        }
    });
}

/// A configuration with the value at the JSON pointer, which its objects lead to.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = json!({
        "database": { "url": { "env": "URL" } },
        "kafka": {
            "bootstrapServers": ["k:9092"],
            "sasl": { "mechanism": "PLAIN", "username": { "env": "U" }, "password": { "env": "P" } },
        },
        "topics": {},
        "admin": {},
        "outboxes": [{ "name": "a", "table": "t", "topic": "x", "columns": {}, "chunk": {} }],
        "inboxes": [{
            "name": "a", "table": "t", "topics": ["x"], "consumerGroup": "g",
            "deliver": { "url": "http://localhost" },
        }],
    });
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap();
    match field.parse::<usize>() {
        Ok(index) => parent[index] = value,
        Err(_) => parent[field] = value,
    }
    config
}

#[test]
fn the_schema_and_the_parser_agree() {
    let key = |name: &str, key: &str| json!({ "secret": { "name": name, "key": key } });
    let long = "x".repeat(250);
    let cases = [
        (
            "/database/url",
            vec![
                json!({ "env": "URL" }),
                json!({ "file": "/x" }),
                key("db-1.example", "url"),
                key("db", ".x_Y-z"),
                json!({ "configMap": { "name": "a", "key": "b" } }),
                json!({}),
                json!("postgresql://x"),
                json!({ "env": "A", "file": "/b" }),
                json!({ "env": "A B" }),
                json!({ "file": "" }),
                key("Db", "url"),
                key("-db", "url"),
                key("db", ".."),
                key("db", "..x"),
                key("db", "."),
                key("db", "a/b"),
                key("a..b", "url"),
                key(&long.repeat(2), "url"),
                key("db", ""),
                json!({ "secret": { "name": "a" } }),
                json!({ "secret": "a" }),
                json!({ "vault": "a" }),
            ],
        ),
        (
            "/database/ca",
            vec![json!({ "file": "/x" }), key("ca", "ca.crt"), json!({ "env": "CA" }), json!("/x")],
        ),
        ("/database/listen", vec![json!(true), json!(false), json!("often")]),
        (
            "/kafka/tls",
            vec![
                json!({}),
                json!({ "ca": { "configMap": { "name": "kafka", "key": "ca.crt" } } }),
                json!({ "caFile": "/x" }),
            ],
        ),
        (
            "/kafka/bootstrapServers",
            vec![
                json!(["a:1", "b:2"]),
                json!([]),
                json!(["a"]),
                json!(["a:x"]),
                json!(["a:1,b:2"]),
                json!("a:1"),
            ],
        ),
        ("/kafka/sasl/mechanism", vec![json!("SCRAM-SHA-512"), json!("scram-sha-512")]),
        ("/kafka/properties", vec![json!({ "linger.ms": "5" }), json!({ "linger.ms": [] })]),
        (
            "/admin/listen",
            vec![
                json!("0.0.0.0:9100"),
                json!("[::]:9100"),
                json!("9100"),
                json!(":9100"),
                json!(9100),
            ],
        ),
        ("/topics/partitions", vec![json!(1), json!(65_535), json!(0), json!(65_536), json!(-1)]),
        ("/topics/replicationFactor", vec![json!(1), json!(32_767), json!(0), json!(32_768)]),
        (
            "/outboxes/0/name",
            vec![
                json!("a"),
                json!("a-1"),
                json!("x".repeat(63)),
                json!("A"),
                json!("-a"),
                json!("a-"),
                json!(""),
                json!("x".repeat(64)),
                json!("a_b"),
            ],
        ),
        (
            "/outboxes/0/table",
            vec![
                json!("t"),
                json!("s.t"),
                json!("Shop.Out box"),
                json!("a.b.c"),
                json!(""),
                json!(".t"),
                json!("s."),
                json!("a\"b"),
                json!("a\nb"),
                json!("x".repeat(64)),
            ],
        ),
        (
            "/outboxes/0/topic",
            vec![
                json!("orders"),
                json!("{topic}"),
                json!("outbox.{aggregate_type}-{region}"),
                json!("a b"),
                json!("{"),
                json!("{}"),
                json!("a{b"),
                json!(""),
                json!("{a.b}"),
            ],
        ),
        (
            "/outboxes/0/columns",
            vec![
                json!({ "key": "k", "createdAt": "x" }),
                json!({ "headers": null, "type": null, "createdAt": null }),
                json!({ "key": "a.b" }),
                json!({ "id": "a.b" }),
            ],
        ),
        ("/outboxes/0/buckets", vec![json!(1), json!(1024), json!(0), json!(1025)]),
        (
            "/outboxes/0/chunk",
            vec![json!({ "rows": 1 }), json!({ "rows": 0 }), json!({ "rows": 100_001 })],
        ),
        (
            "/outboxes/0/delivery",
            vec![json!("idempotent"), json!("transactional"), json!("exactlyOnce")],
        ),
        (
            "/outboxes/0/transactionalIdPrefix",
            vec![
                json!("a.b_c-D1"),
                json!("x".repeat(100)),
                json!(""),
                json!("a b"),
                json!("x".repeat(101)),
            ],
        ),
        ("/outboxes/0/engine", vec![json!("append"), json!("claim"), json!("poll")]),
        ("/outboxes/0/preset", vec![json!("debezium"), json!("openOutbox"), json!("open-outbox")]),
        (
            "/outboxes/0/headers",
            vec![
                json!({ "app": "billing", "tenant": "/{tenant}" }),
                json!({ "a": "{" }),
                json!([]),
            ],
        ),
        (
            "/outboxes/0/payload",
            vec![
                json!({ "format": "json", "envelope": { "type": "{type}" }, "contentType": "a/b" }),
                json!({ "format": "cloudEventsBinary", "source": "/x", "subject": "{id}" }),
                json!({ "format": "cloudevents" }),
                json!({ "contentType": "" }),
                json!({ "emptyIsTombstone": 1 }),
            ],
        ),
        ("/outboxes/0/recordTime", vec![json!("createdAt"), json!("now")]),
        (
            "/outboxes/0/retention",
            vec![
                json!("7d"),
                json!("1m 30s"),
                json!("1h30m"),
                json!("2 weeks"),
                json!("1.5h"),
                json!("1 month 2days"),
                json!("7"),
                json!(""),
                json!("d"),
                json!("soon"),
                json!("5 m s"),
                json!("-1d"),
                json!(7),
            ],
        ),
        (
            "/inboxes/0/topics",
            vec![
                json!(["a.b_c-d"]),
                json!([]),
                json!([""]),
                json!(["a b"]),
                json!(["x".repeat(250)]),
            ],
        ),
        ("/inboxes/0/consumerGroup", vec![json!("g"), json!(""), json!("x".repeat(256))]),
        (
            "/outboxes/0/poison",
            vec![
                json!({}),
                json!({ "maximumAttempts": 1, "initialBackoff": "1s", "deadLetterTopic": "dead.x" }),
                json!({ "maximumAttempts": 0 }),
                json!({ "maximumAttempts": 1_000_001 }),
                json!({ "deadLetterTopic": "" }),
                json!({ "deadLetterTopic": "a/b" }),
                json!({ "attempts": 3 }),
            ],
        ),
        (
            "/inboxes/0/deliver",
            vec![
                json!({ "url": "https://h/x", "batch": 1000, "concurrency": 64, "maximumAttempts": 1 }),
                json!({ "url": "ftp://h" }),
                json!({ "url": "http://h", "batch": 0 }),
                json!({ "url": "http://h", "batch": 1001 }),
                json!({ "url": "http://h", "concurrency": 65 }),
                json!({ "url": "http://h", "maximumAttempts": 0 }),
                json!({ "url": "http://h", "maximumCrashes": 0 }),
                json!({ "url": "http://h", "maximumCrashes": -1 }),
                json!({ "url": "http://h", "deadLetterTopic": "dead.x" }),
                json!({ "url": "http://h", "deadLetterTopic": "a b" }),
                json!({ "batch": 1 }),
            ],
        ),
        ("/inboxes/0/table", vec![json!("t"), json!("s.t"), json!("a.b.c")]),
    ];
    let schema = schema();
    for (pointer, values) in cases {
        for value in values {
            let config = with(pointer, value.clone());
            let by_schema = problem(&schema, &config, "spec");
            let by_parser = Config::parse(&config.to_string()).err();
            assert_eq!(
                by_schema.is_none(),
                by_parser.is_none(),
                "{pointer} {value}: schema {by_schema:?}, parser {by_parser:?}"
            );
        }
    }
}

#[test]
fn a_stored_configuration_with_all_its_defaults_fits_the_schema() {
    for service in ["orders", "payments"] {
        let file =
            format!("{}/../../services/{service}/outbox-sidecar.yaml", env!("CARGO_MANIFEST_DIR"));
        let config = Config::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
        let stored = serde_json::to_value(&config).unwrap();
        assert_eq!(problem(&schema(), &stored, "spec"), None);
    }
}
