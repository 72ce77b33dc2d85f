use super::*;

/// A `Relay` that takes every secret and certificate from the cluster.
const RELAY: &str = "\
database:
  url: { secret: { name: orders-db, key: url } }
  ca: { configMap: { name: trust, key: ca.crt } }
kafka:
  bootstrapServers: [\"kafka:9093\"]
  tls:
    ca: { configMap: { name: trust, key: ca.crt } }
    certificate: { secret: { name: kafka-user, key: user.crt } }
    key: { secret: { name: kafka-user, key: user.key } }
  sasl:
    mechanism: SCRAM-SHA-512
    username: { secret: { name: kafka-user, key: name } }
    password: { secret: { name: kafka-user, key: password } }
admin: { listen: \"127.0.0.1:9191\" }
outboxes:
  - { name: orders, table: outbox, topic: orders }
";

fn relay(yaml: &str) -> Result<cluster::Mounted, InvalidConfig> {
    Config::parse(yaml).unwrap().in_cluster()
}

#[test]
fn references_become_mounted_files_and_the_admin_port_opens() {
    let mounted = relay(RELAY).unwrap();
    let config = mounted.config;
    let file = |path: &str| FileRef::File(format!("/etc/outbox-sidecar/{path}").into());
    let secret = |path: &str| SecretRef::File(format!("/etc/outbox-sidecar/{path}").into());
    let database = config.database.as_ref().unwrap();
    assert_eq!(database.url, secret("secret/orders-db/url"));
    assert_eq!(database.ca, Some(file("configmap/trust/ca.crt")));
    let tls = config.kafka.tls.clone().unwrap();
    assert_eq!(tls.ca, Some(file("configmap/trust/ca.crt")));
    assert_eq!(tls.certificate, Some(file("secret/kafka-user/user.crt")));
    assert_eq!(tls.key, Some(file("secret/kafka-user/user.key")));
    let sasl = config.kafka.sasl.clone().unwrap();
    assert_eq!(sasl.username, secret("secret/kafka-user/name"));
    assert_eq!(sasl.password, secret("secret/kafka-user/password"));
    assert_eq!(config.admin.listen.to_string(), "0.0.0.0:9191");
    assert_eq!(Config::parse(&config.to_json().unwrap()).unwrap(), config);
    config.outside_cluster().unwrap();
}

#[test]
fn what_is_named_twice_is_mounted_once_in_an_order_that_does_not_change() {
    let mounted = relay(RELAY).unwrap();
    let paths: Vec<_> = mounted.sources.iter().map(cluster::Source::path).collect();
    let expected = [
        "configmap/trust/ca.crt",
        "secret/kafka-user/name",
        "secret/kafka-user/password",
        "secret/kafka-user/user.crt",
        "secret/kafka-user/user.key",
        "secret/orders-db/url",
    ];
    assert_eq!(paths, expected);
    assert_eq!(relay(RELAY).unwrap(), mounted);
}

#[test]
fn a_relay_cannot_name_files_and_variables_of_a_machine() {
    let cases = [
        (
            "{ secret: { name: orders-db, key: url } }",
            "{ env: DATABASE_URL }",
            "database.url: `env` ",
        ),
        ("{ secret: { name: orders-db, key: url } }", "{ file: /url }", "database.url: `file` "),
        (
            "tls:\n    ca: { configMap: { name: trust, key: ca.crt } }",
            "tls:\n    ca: { file: /ca }",
            "kafka.tls.ca: `file` ",
        ),
        (
            "{ secret: { name: kafka-user, key: password } }",
            "{ env: PASSWORD }",
            "kafka.sasl.password: `env` ",
        ),
    ];
    for (from, to, start) in cases {
        let message = relay(&RELAY.replace(from, to)).unwrap_err().to_string();
        assert!(message.starts_with(start), "{message}");
        assert!(
            message.ends_with("write { secret: { name, key } } or { configMap: { name, key } }"),
            "{message}"
        );
    }
}

#[test]
fn a_file_cannot_name_what_only_a_cluster_has() {
    let message = Config::parse(RELAY).unwrap().outside_cluster().unwrap_err().to_string();
    assert_eq!(
        message,
        "database.url: `secret` is for a Relay in a cluster; write { env: NAME } or { file: PATH }"
    );
    let yaml = RELAY.replace("{ secret: { name: orders-db, key: url } }", "{ env: A }");
    let message = Config::parse(&yaml).unwrap().outside_cluster().unwrap_err().to_string();
    assert_eq!(
        message,
        "database.ca: `configMap` is for a Relay in a cluster; write { file: PATH }"
    );
}

#[test]
fn a_relay_has_a_port_that_is_known() {
    let message = relay(&RELAY.replace("127.0.0.1:9191", "127.0.0.1:0")).unwrap_err().to_string();
    assert!(message.starts_with("admin.listen: "), "{message}");
}

#[test]
fn a_relay_that_was_never_checked_is_checked() {
    let mut config = Config::parse(RELAY).unwrap();
    config.outboxes[0].buckets = 0;
    let message = config.in_cluster().unwrap_err().to_string();
    assert!(message.starts_with("outboxes[0].buckets: "), "{message}");
}

#[test]
fn the_fingerprint_tells_configurations_apart() {
    let config = Config::parse(RELAY).unwrap();
    assert_eq!(
        config.fingerprint(),
        Config::parse(&format!("# again\n{RELAY}")).unwrap().fingerprint()
    );
    assert_eq!(config.fingerprint().len(), 16);
    assert_ne!(config.fingerprint(), config.in_cluster().unwrap().config.fingerprint());
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    for (from, to, start) in [
        ("key: url", "key: ../../x", "database.url.secret: key: "),
        ("name: orders-db", "name: ../x", "database.url.secret: name: "),
        ("name: trust", "name: Trust", "database.ca.configMap: name: "),
    ] {
        let message = Config::parse(&RELAY.replace(from, to)).unwrap_err().to_string();
        assert!(message.starts_with(start), "{message}");
    }
}
