//! Connections that are encrypted, and refused when the server cannot prove itself.

use std::io::Write;
use std::time::Duration;

use kit::Database;
use kit::settings::DatabaseSettings;
use kit::telemetry::Chain;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::NamedTempFile;
use test_support::postgres::Cluster;
use test_support::wait;

const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate authority of the test's own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// A key and a certificate for a host.
    fn certify(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        (key.serialize_pem(), params.signed_by(&key, &self.issuer).unwrap().pem())
    }
}

/// Makes a server offer TLS with a certificate for `host`.
async fn offer_tls(cluster: &Cluster, authority: &Authority, host: &str) {
    let sql = cluster.server().admin("postgres").await.unwrap();
    let (key, certificate) = authority.certify(host);
    // Through the server, whose account owns its data directory.
    for (file, pem) in [("server.key", key), ("server.crt", certificate)] {
        sql.batch_execute(&format!(
            "COPY (SELECT unnest(string_to_array('{}', E'\\n'))) TO PROGRAM 'umask 077; cat > {file}'",
            pem.trim_end()
        ))
        .await
        .unwrap();
    }
    sql.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
    sql.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    wait::until("the server offers TLS", PATIENCE, || async {
        let sql = cluster.server().admin("postgres").await.ok()?;
        let row = sql.query_one("SHOW ssl", &[]).await.ok()?;
        (row.get::<_, &str>(0) == "on").then_some(())
    })
    .await;
}

fn database(cluster: &Cluster, mode: &str, authority: Option<&Authority>) -> Database {
    let url = format!("{}?sslmode={mode}", cluster.server().admin_url());
    let mut settings = DatabaseSettings::for_url(url);
    settings.database_ca_file = authority.map(|authority| authority.file.path().to_owned());
    Database::new(&settings).unwrap()
}

/// Whether a connection is encrypted, or why there is none.
async fn encrypted(database: &Database) -> Result<bool, String> {
    let client = database.get().await.map_err(|err| Chain(&err).to_string())?;
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    Ok(client.query_one(sql, &[]).await.unwrap().get(0))
}

#[tokio::test]
async fn the_server_must_prove_itself_whenever_tls_is_used() {
    let cluster = Cluster::temporary().await.unwrap();
    assert_eq!(encrypted(&database(&cluster, "prefer", None)).await, Ok(false));
    assert!(encrypted(&database(&cluster, "require", None)).await.is_err());

    let (authority, stranger) = (Authority::new(), Authority::new());
    offer_tls(&cluster, &authority, "127.0.0.1").await;
    for mode in ["prefer", "require", "verify-full"] {
        assert_eq!(encrypted(&database(&cluster, mode, Some(&authority))).await, Ok(true));
        for trusted in [None, Some(&stranger)] {
            let err = encrypted(&database(&cluster, mode, trusted)).await.unwrap_err();
            assert!(err.contains("invalid peer certificate"), "{mode}: {err}");
        }
    }
    assert_eq!(encrypted(&database(&cluster, "disable", None)).await, Ok(false));

    offer_tls(&cluster, &authority, "elsewhere.example").await;
    let err = wait::until("the other certificate is offered", PATIENCE, || async {
        encrypted(&database(&cluster, "require", Some(&authority))).await.err()
    })
    .await;
    assert!(err.contains("not valid for name"), "{err}");
}
