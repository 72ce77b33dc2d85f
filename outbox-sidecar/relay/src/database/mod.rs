//! The connection to the database that holds the outbox and inbox tables.

pub mod inspect;
mod schema;
pub mod table;
mod tls;

use std::{str::FromStr as _, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use outbox_sidecar_core::config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

pub use schema::prepare;

use crate::{
    error::Error,
    secret::{self, Secret},
};

/// A sidecar holds no more connections than this, the one for listening included:
/// sidecars are many, and a database's connections are few.
const MAXIMUM_CONNECTIONS: usize = 3;

/// How long to wait for a connection before calling it an outage.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How to connect.
///
/// # Errors
/// The secret, the URL or the certificates are not usable.
pub(crate) fn settings(
    config: &config::Database,
) -> Result<(tokio_postgres::Config, MakeRustlsConnect), Error> {
    let url = Secret::read(&config.url)?;
    // The driver knows no more than `require`; certificate and name are verified
    // here whenever TLS is used, which is what the stricter modes ask for.
    let url = url
        .reveal()
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let mut connection = tokio_postgres::Config::from_str(&url).map_err(|error| {
        // The URL itself stays out of the message: it holds the password.
        Error::Table(format!("the database URL is not valid: {error}"))
    })?;
    if connection.get_application_name().is_none() {
        connection.application_name("outbox-sidecar");
    }
    if connection.get_connect_timeout().is_none() {
        connection.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.ca.is_some() && connection.get_ssl_mode() == SslMode::Prefer {
        // Who names a CA does not want the password in the clear to whoever answers.
        connection.ssl_mode(SslMode::Require);
    }
    // A host that is gone without a word is noticed in half a minute.
    connection.keepalives_idle(Duration::from_secs(10));
    connection.keepalives_interval(Duration::from_secs(10));
    connection.keepalives_retries(2);
    connection.tcp_user_timeout(Duration::from_secs(30));
    let tls = tls::connector(config.ca.as_ref().map(secret::path).transpose()?)?;
    Ok((connection, tls))
}

/// Makes the pool; connections are opened when first used.
///
/// # Errors
/// The secret, the URL or the certificates are not usable.
pub fn pool(config: &config::Database) -> Result<Pool, Error> {
    let (connection, tls) = settings(config)?;
    let manager = Manager::from_config(
        connection,
        tls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(MAXIMUM_CONNECTIONS - usize::from(config.listen))
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(Duration::from_secs(30)),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        })
        .build()
        .map_err(|error| Error::Tls(error.to_string()))
}

/// The pool of a configuration, if it has a database.
///
/// # Errors
/// As for [`pool`].
pub fn pool_of(config: &config::Config) -> Result<Option<Pool>, Error> {
    config.database.as_ref().map(pool).transpose()
}

#[cfg(test)]
mod tests {
    use outbox_sidecar_core::config::SecretRef;

    use super::*;

    #[test]
    fn the_stricter_tls_modes_are_understood() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for mode in ["disable", "require", "verify-ca", "verify-full"] {
            std::fs::write(&file, format!("postgres://u:p@h:5432/d?sslmode={mode}")).unwrap();
            let url = SecretRef::File(file.path().to_owned());
            assert!(pool(&config::Database { url, ca: None, listen: true }).is_ok(), "{mode}");
        }
    }
}
