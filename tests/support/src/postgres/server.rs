//! A running PostgreSQL server, seen through a superuser's URL.

use tokio_postgres::{Client, Config, NoTls};

use super::database::TestDatabase;
use crate::error::{Error, Result};

/// A PostgreSQL server that can make databases; who started it does not matter.
#[derive(Clone, Debug)]
pub struct Server {
    admin: Config,
}

impl Server {
    /// The server behind a superuser's URL, e.g. `postgres://postgres@127.0.0.1:5432/postgres`.
    pub fn attach(admin_url: &str) -> Result<Self> {
        let admin = admin_url.parse().map_err(|source| Error::Postgres {
            what: "parse the administrator's database URL".to_owned(),
            source,
        })?;
        Ok(Self { admin })
    }

    pub(super) fn config(&self) -> &Config {
        &self.admin
    }

    pub(super) fn from_config(admin: Config) -> Self {
        Self { admin }
    }

    /// A superuser's URL of the database `postgres`; contains the password, if there is one.
    pub fn admin_url(&self) -> String {
        self.admin_url_of("postgres")
    }

    /// A superuser's URL of a database.
    pub fn admin_url_of(&self, database: &str) -> String {
        let password = self.admin.get_password().map(String::from_utf8_lossy);
        self.url(self.admin.get_user().unwrap_or("postgres"), password.as_deref(), database)
    }

    /// The URL of `database` for `user`.
    pub(super) fn url(&self, user: &str, password: Option<&str>, database: &str) -> String {
        let host = self.admin.get_hosts().iter().find_map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => Some(name.as_str()),
            tokio_postgres::config::Host::Unix(_) => None,
        });
        let port = self.admin.get_ports().first().copied().unwrap_or(5432);
        let secret = password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("postgres://{user}{secret}@{}:{port}/{database}", host.unwrap_or("127.0.0.1"))
    }

    /// A superuser's connection to `database`. It lives as long as the client does.
    pub async fn admin(&self, database: &str) -> Result<Client> {
        let mut config = self.admin.clone();
        config.dbname(database);
        connect(&config).await
    }

    /// A new empty database for one test, owned by a role of its own that may do nothing else.
    ///
    /// `name` helps a reader of `pg_stat_activity`; a suffix makes it unique. Both are dropped
    /// with the returned value.
    pub async fn database(&self, name: &str) -> Result<TestDatabase> {
        TestDatabase::create(self, name).await
    }

    /// A database and role with fixed names, made when missing; for data that lasts. The role's
    /// password is set to `password`. Returns its URL.
    pub async fn ensure_database(&self, name: &str, password: &str) -> Result<String> {
        let failed =
            |source| Error::Postgres { what: format!("create the database {name}"), source };
        let admin = self.admin("postgres").await?;
        let role = admin
            .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&name])
            .await
            .map_err(failed)?;
        let verb = if role.is_some() { "ALTER" } else { "CREATE" };
        admin
            .batch_execute(&format!("{verb} ROLE \"{name}\" LOGIN PASSWORD '{password}'"))
            .await
            .map_err(failed)?;
        let found = admin
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&name])
            .await
            .map_err(failed)?;
        if found.is_none() {
            create_owned(&admin, name).await.map_err(failed)?;
        }
        Ok(self.url(name, Some(password), name))
    }
}

/// A database of the role of the same name, closed to every other role.
pub(super) async fn create_owned(admin: &Client, name: &str) -> Result<(), tokio_postgres::Error> {
    // template0 never has a connection, so databases can be made at the same time.
    admin
        .batch_execute(&format!("CREATE DATABASE \"{name}\" OWNER \"{name}\" TEMPLATE template0"))
        .await?;
    admin.batch_execute(&format!("REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC")).await
}

/// Connects and drives the connection on a task of the current runtime.
pub(super) async fn connect(config: &Config) -> Result<Client> {
    let database = config.get_dbname().unwrap_or_default().to_owned();
    let (client, connection) = config.connect(NoTls).await.map_err(|source| Error::Postgres {
        what: format!("connect to the database {database}"),
        source,
    })?;
    // It ends when the client is dropped or the server goes away; the client's next call tells.
    tokio::spawn(connection);
    Ok(client)
}
