use std::process::Command;

use crate::harness::Bench;

fn sidecar(arguments: &[&str]) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_outbox-sidecar")).args(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

#[test]
fn check_names_file_line_and_the_nearest_valid_name() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("relay.yaml");
    std::fs::write(
        &file,
        "database: { url: { env: DATABASE_URL } }\nkafka:\n  bootstrapServers: ['k:9092']\n  clientID: x\noutboxes: []\n",
    )
    .unwrap();
    let (code, text) = sidecar(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 64);
    assert!(
        text.contains("relay.yaml:4:3: unknown field `clientID`; did you mean `clientId`?"),
        "{text}"
    );
    assert!(text.contains("4 |   clientID: x"), "{text}");
}

#[test]
fn check_does_not_repeat_a_secret_that_stands_in_the_file() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("relay.yaml");
    std::fs::write(
        &file,
        "database: { url: postgresql://shop:hunter2@db/shop }\nkafka: { bootstrapServers: ['k:9092'] }\n",
    )
    .unwrap();
    let (code, text) = sidecar(&["check", file.to_str().unwrap()]);
    assert_eq!(code, 64);
    assert!(
        text.contains("relay.yaml:1:18: a secret may not stand here itself; write { env: NAME }"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_only_a_cluster_has_is_refused_with_what_to_write() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("relay.yaml");
    std::fs::write(
        &file,
        "database: { url: { secret: { name: db, key: url } } }\nkafka: { bootstrapServers: ['k:9092'] }
outboxes: [{ name: a, table: a, topic: a }]\n",
    )
    .unwrap();
    for arguments in [&["check"][..], &["run", "--config"]] {
        let (code, text) = sidecar(&[arguments, &[file.to_str().unwrap()]].concat());
        assert_eq!(code, 64);
        assert!(
            text.ends_with("database.url: `secret` is for a Relay in a cluster; write { env: NAME } or { file: PATH }\n"),
            "{text}"
        );
    }
}

#[test]
fn the_shops_own_configurations_are_valid() {
    for service in ["orders", "payments"] {
        let file =
            format!("{}/../../services/{service}/outbox-sidecar.yaml", env!("CARGO_MANIFEST_DIR"));
        let (code, text) = sidecar(&["check", &file]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("valid; 2 outboxes, 1 inboxes"), "{text}");
    }
}

#[test]
fn version_names_the_kafka_client_too() {
    let (code, text) = sidecar(&["version"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with(concat!("outbox-sidecar ", env!("CARGO_PKG_VERSION"), ", librdkafka 2.")),
        "{text}"
    );
}

#[test]
fn a_missing_file_or_secret_stops_it_at_once_with_its_name() {
    let (code, text) = sidecar(&["run", "--config", "/nonexistent.yaml"]);
    assert_eq!(code, 64);
    assert!(text.contains("cannot read /nonexistent.yaml"), "{text}");

    let file = format!("{}/../../services/orders/outbox-sidecar.yaml", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"))
        .args(["run", "--config", &file])
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(text.contains("DATABASE_URL"), "{text}");
}

#[test]
fn a_token_that_could_be_guessed_stops_it_at_once() {
    let files = tempfile::tempdir().unwrap();
    let (file, token) = (files.path().join("relay.yaml"), files.path().join("token"));
    std::fs::write(&token, "guess me").unwrap();
    let text = format!(
        "kafka: {{ bootstrapServers: ['127.0.0.1:9'] }}\nadmin: {{ token: {{ file: {} }} }}
inboxes: [{{ name: a, table: none, topics: [a], deliver: {{ url: 'http://127.0.0.1:9/' }} }}]\n",
        token.display()
    );
    std::fs::write(&file, text).unwrap();
    let (code, text) = sidecar(&["run", "--config", file.to_str().unwrap()]);
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("admin.token: must have 16 bytes or more"), "{text}");
    assert!(!text.contains("guess me"), "{text}");
}

#[tokio::test]
async fn a_taken_admin_port_is_named() {
    let bench = Bench::new("port").await;
    let mut config = bench.outbox_config();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.admin.listen = taken.local_addr().unwrap();
    let file = bench.files.path().join("taken.yaml");
    std::fs::write(&file, config.to_json().unwrap()).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"))
        .args(["run", "--config", file.to_str().unwrap()])
        .env("DATABASE_URL", bench.database.url())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success());
    assert!(text.contains(&config.admin.listen.to_string()), "{text}");
}

#[test]
fn an_unknown_command_or_flag_is_a_usage_error() {
    for arguments in [&["fly"][..], &["run", "--colour"], &[]] {
        let (code, text) = sidecar(arguments);
        assert_eq!(code, 64, "{arguments:?}: {text}");
        assert!(text.contains("Usage: outbox-sidecar"), "{text}");
    }
    assert_eq!(sidecar(&["--help"]).0, 0);
}
