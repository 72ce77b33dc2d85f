//! The service's own PostgreSQL database.

mod migrate;
mod tls;
mod transaction;

use std::str::FromStr;
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

pub use transaction::{InTransaction, PipelinedTransaction};

use crate::problem::Problem;
use crate::settings::{ConfigurationError, DatabaseSettings};
use crate::telemetry::Chain;

/// How long a request waits for a free connection.
const POOL_WAIT: Duration = Duration::from_secs(5);
/// How long opening one connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The pauses between attempts to reach the database at start.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A pool of connections to the service's database. Clones share the pool.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    config: tokio_postgres::Config,
    tls: MakeRustls,
    start_timeout: Duration,
}

/// A connector that can be shown in debug output.
#[derive(Clone)]
struct MakeRustls(MakeRustlsConnect);

impl std::fmt::Debug for MakeRustls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MakeRustls")
    }
}

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No connection was to be had.
    #[error("no database connection")]
    Pool(#[from] PoolError),
    /// A statement failed, or the connection did.
    #[error("a database statement failed")]
    Statement(#[from] tokio_postgres::Error),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be migrated")]
    Migration(#[from] Box<refinery::Error>),
    /// The database was not reachable in time at start.
    #[error("the database was not reachable within {0:?}")]
    StartTimeout(Duration),
}

impl DatabaseError {
    /// The SQLSTATE, when the server reported one.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Statement(err) | Self::Pool(PoolError::Backend(err)) => err.code(),
            _ => None,
        }
    }

    /// Whether the same statement with the same data can never succeed: the
    /// data itself is at fault (SQLSTATE class 22, data exception, or 23,
    /// integrity constraint violation).
    #[must_use]
    pub fn is_caused_by_data(&self) -> bool {
        self.sqlstate().is_some_and(|state| matches!(&state.code()[..2], "22" | "23"))
    }

    /// Whether the database is out of reach or overloaded, rather than the
    /// statement wrong.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Pool(_) | Self::StartTimeout(_) => true,
            Self::Statement(err) => match err.code() {
                // Connection exceptions, serialisation failures, lack of
                // resources, operator intervention.
                Some(state) => matches!(&state.code()[..2], "08" | "40" | "53" | "57" | "58"),
                None => true,
            },
            Self::Migration(_) => false,
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(err: DatabaseError) -> Self {
        if err.is_outage() {
            Self::unavailable("the database is not available at the moment").caused_by(err)
        } else {
            Self::internal(err)
        }
    }
}

impl From<tokio_postgres::Error> for Problem {
    fn from(err: tokio_postgres::Error) -> Self {
        DatabaseError::from(err).into()
    }
}

impl From<PoolError> for Problem {
    fn from(err: PoolError) -> Self {
        DatabaseError::from(err).into()
    }
}

impl Database {
    /// Prepares the pool; opens no connection yet.
    ///
    /// # Errors
    ///
    /// The URL or the certificate authorities cannot be used.
    pub fn new(settings: &DatabaseSettings) -> Result<Self, ConfigurationError> {
        let config = parse_url(&settings.url()?)?;
        let tls = MakeRustlsConnect::new(tls::client_config(settings.database_ca_file.as_deref())?);
        let manager = Manager::from_config(
            config.clone(),
            tls.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(usize::from(settings.database_max_connections))
            .wait_timeout(Some(POOL_WAIT))
            .create_timeout(Some(CONNECT_TIMEOUT))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|err| ConfigurationError(format!("the database pool: {err}")))?;
        Ok(Self {
            pool,
            config,
            tls: MakeRustls(tls),
            start_timeout: settings.database_start_timeout,
        })
    }

    /// A connection from the pool, waiting up to five seconds for one.
    ///
    /// # Errors
    ///
    /// None became free in time, or a new one could not be opened.
    pub async fn get(&self) -> Result<Object, DatabaseError> {
        Ok(self.pool.get().await?)
    }

    /// A transaction on a connection from the pool; it has not begun yet.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn pipelined(&self) -> Result<PipelinedTransaction, DatabaseError> {
        Ok(PipelinedTransaction::new(self.get().await?))
    }

    /// The pool's state, for metrics.
    #[must_use]
    pub fn pool_status(&self) -> deadpool_postgres::Status {
        self.pool.status()
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    ///
    /// It does not.
    pub async fn ping(&self) -> Result<(), DatabaseError> {
        let client = self.get().await?;
        client.simple_query("SELECT 1").await?;
        Ok(())
    }

    /// Waits until the database answers, saying in the log what it waits for.
    ///
    /// # Errors
    ///
    /// It did not answer within the start timeout.
    pub async fn wait(&self) -> Result<(), DatabaseError> {
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(err) = self.ping().await else {
                tracing::info!(database = %self.address(), "database is reachable");
                return Ok(());
            };
            if started.elapsed() + pause > self.start_timeout {
                tracing::error!(database = %self.address(), error = %Chain(&err), "gave up waiting for the database");
                return Err(DatabaseError::StartTimeout(self.start_timeout));
            }
            tracing::warn!(
                database = %self.address(),
                error = %Chain(&err),
                retry_in = ?pause,
                "waiting for the database"
            );
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where the database is, without the password.
    fn address(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                tokio_postgres::config::Host::Tcp(name) => name.clone(),
                tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let ports: Vec<String> = self.config.get_ports().iter().map(u16::to_string).collect();
        format!(
            "{}:{}/{}",
            hosts.join(","),
            ports.join(","),
            self.config.get_dbname().unwrap_or_default()
        )
    }
}

/// Reads a URL. The names `verify-ca` and `verify-full` mean `require` here,
/// because a certificate is always verified, name included.
fn parse_url(url: &str) -> Result<tokio_postgres::Config, ConfigurationError> {
    let url = url
        .replace("sslmode=verify-full", "sslmode=require")
        .replace("sslmode=verify-ca", "sslmode=require");
    let mut config = tokio_postgres::Config::from_str(&url).map_err(|err| {
        ConfigurationError(format!(
            "the database URL is not valid ({}); expected postgres://user:password@host:port/database",
            Chain(&err)
        ))
    })?;
    if config.get_hosts().is_empty() {
        return Err(ConfigurationError("the database URL names no host".to_owned()));
    }
    config
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_secs(30));
    if config.get_ssl_mode() == SslMode::Disable {
        tracing::debug!("connections to the database are not encrypted");
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_with_every_ssl_mode() {
        for (mode, expected) in [
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::Require),
            ("verify-full", SslMode::Require),
        ] {
            let config = parse_url(&format!("postgres://u:p@h:5432/d?sslmode={mode}")).unwrap();
            assert_eq!(config.get_ssl_mode(), expected);
        }
        assert!(parse_url("mysql://h/d").is_err());
        assert!(parse_url("postgres:///d").is_err());
    }

    #[test]
    fn the_address_in_the_log_has_no_password() {
        let settings = DatabaseSettings::for_url("postgres://u:hunter2@db.example:5433/orders");
        let database = Database::new(&settings).unwrap();
        assert_eq!(database.address(), "db.example:5433/orders");
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
