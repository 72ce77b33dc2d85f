//! TLS and authentication, as configured and against servers that insist on them.

use std::{fs, path::PathBuf};

use outbox_sidecar_core::config::{FileRef, Sasl, SaslMechanism, SecretRef, Tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use test_support::{
    kafka::{Broker, Options},
    ports,
    postgres::Cluster,
    wait,
};

use crate::harness::{Bench, Listener, PATIENCE, Sidecar};

/// A certificate authority of the test's own, whose certificate is in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    fn new(bench: &Bench, name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Were it named like what it signs, that would seem to sign itself.
        params.distinguished_name.push(rcgen::DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        let file = bench.files.path().join(name);
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A key and a certificate for this machine, by name and by address.
    fn certify(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params =
            CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        (key.serialize_pem(), params.signed_by(&key, &self.issuer).unwrap().pem())
    }
}

#[tokio::test]
async fn the_database_must_prove_itself_and_the_connection_is_encrypted() {
    let cluster = Cluster::temporary().await.unwrap();
    let bench = Bench::on(cluster.server(), "pgtls").await;
    let ours = Authority::new(&bench, "ca.pem");
    let mut config = bench.outbox_config();
    config.database.as_mut().unwrap().ca = Some(FileRef::File(ours.file.clone()));
    bench.add("a", 1).await;

    let sidecar = bench.start(&config).await;
    let waiting = wait::until("it waits for TLS", PATIENCE, || async {
        Some(sidecar.status().await["waitingFor"].as_str()?.to_owned())
    })
    .await;
    assert!(waiting.contains("TLS"), "who names a CA wants TLS: {waiting}");
    sidecar.stop().await;

    let (key, certificate) = ours.certify();
    let sql = cluster.server().admin("postgres").await.unwrap();
    for (file, pem) in [("server.key", key), ("server.crt", certificate)] {
        // Through the server, whose account owns its data directory.
        sql.batch_execute(&format!(
            "COPY (SELECT unnest(string_to_array('{}', E'\\n'))) TO PROGRAM 'umask 077; cat > {file}'",
            pem.trim_end()
        ))
        .await
        .unwrap();
    }
    sql.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();

    let other = Authority::new(&bench, "other.pem");
    config.database.as_mut().unwrap().ca = Some(FileRef::File(other.file));
    let sidecar = bench.start(&config).await;
    let waiting = wait::until("it names the certificate", PATIENCE, || async {
        let status = sidecar.status().await;
        Some(status["waitingFor"].as_str()?.to_owned()).filter(|text| text.contains("certificate"))
    })
    .await;
    assert!(waiting.contains("invalid peer certificate"), "{waiting}");
    sidecar.stop().await;

    config.database.as_mut().unwrap().ca = Some(FileRef::File(ours.file));
    let _sidecar = bench.start(&config).await;
    bench.listen().wait_for(1).await;
    let plain = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                 WHERE application_name = 'outbox-sidecar' AND NOT ssl";
    assert_eq!(sql.query_one(plain, &[]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn the_broker_must_prove_itself_and_wants_the_password() {
    let bench = Bench::new("sasl").await;
    let ours = Authority::new(&bench, "ca.pem");
    let (key, certificate) = ours.certify();
    let store = bench.files.path().join("broker.pem");
    fs::write(&store, key + &certificate).unwrap();
    let [plain, controller, secure] = [(); 3].map(|()| ports::free().unwrap());
    let at = |port: u16| format!("127.0.0.1:{port}");
    let settings = [
        ("listeners", format!("PLAINTEXT://{},CONTROLLER://{},SECURE://{}", at(plain), at(controller), at(secure))),
        ("advertised.listeners", format!("PLAINTEXT://{},SECURE://localhost:{secure}", at(plain))),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL".into()),
        ("listener.name.secure.ssl.keystore.type", "PEM".into()),
        ("listener.name.secure.ssl.keystore.location", store.display().to_string()),
        ("listener.name.secure.sasl.enabled.mechanisms", "PLAIN".into()),
        (
            "listener.name.secure.plain.sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required user_shop=\"s3cret\";".into(),
        ),
    ];
    let broker = Broker::start_with(Options {
        port: Some(plain),
        controller_port: Some(controller),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Options::default()
    })
    .await
    .unwrap();
    let password = bench.files.path().join("password");
    let username = bench.files.path().join("username");
    fs::write(&username, "shop\n").unwrap();
    fs::write(&password, "wrong\n").unwrap();
    let mut config = bench.outbox_config();
    config.kafka.bootstrap_servers = vec![format!("localhost:{secure}")];
    config.kafka.tls = Some(Tls { ca: Some(FileRef::File(ours.file.clone())), ..Tls::default() });
    config.kafka.sasl = Some(Sasl {
        mechanism: SaslMechanism::Plain,
        username: SecretRef::File(username),
        password: SecretRef::File(password.clone()),
    });
    bench.add("a", 1).await;
    let topics_there = || async {
        let client: rdkafka::consumer::BaseConsumer =
            broker.server().client_config().create().unwrap();
        let metadata =
            rdkafka::consumer::Consumer::fetch_metadata(&client, None, PATIENCE).unwrap();
        metadata.topics().iter().filter(|topic| topic.name() == bench.topic).count()
    };

    let mut misled = config.clone();
    let other = Authority::new(&bench, "other.pem").file;
    misled.kafka.tls = Some(Tls { ca: Some(FileRef::File(other)), ..Tls::default() });
    let sidecar = Sidecar::start(&misled, bench.database.url(), &bench.files).await;
    said(&sidecar, "certificate could not be verified").await;
    assert_eq!(topics_there().await, 0, "a broker that cannot prove itself gets nothing");
    sidecar.stop().await;

    let sidecar = bench.start(&config).await;
    said(&sidecar, "Authentication failed").await;
    assert_eq!(topics_there().await, 0, "nor does a wrong password open anything");

    // The right one is noticed without a restart.
    fs::write(&password, "s3cret\n").unwrap();
    Listener::new(broker.server().bootstrap(), &bench.topic).wait_for(1).await;
}

/// Waits until the sidecar's log has this in it.
async fn said(sidecar: &Sidecar, text: &str) {
    wait::until("the sidecar says why", PATIENCE, || async {
        sidecar.process.tail(200).contains(text).then_some(())
    })
    .await;
}
