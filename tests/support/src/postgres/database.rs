//! A database that exists for the length of a test.

use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use tokio_postgres::{Client, Config};

use super::server::{Server, connect, create_owned};
use crate::error::{Error, Result};

/// How long dropping a database may hold up the test that ends.
const DROP_PATIENCE: Duration = Duration::from_secs(3);

/// A database of its own, owned by a role of the same name without further rights; dropped, with
/// whatever is connected to it, when this value is.
#[derive(Debug)]
pub struct TestDatabase {
    server: Server,
    name: String,
    url: String,
}

impl TestDatabase {
    pub(super) async fn create(server: &Server, label: &str) -> Result<Self> {
        let suffix = uuid::Uuid::new_v4().simple().to_string();
        let mut name: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        // Identifiers end at 63 bytes.
        name.truncate(48);
        let name = format!("{name}_{}", &suffix[..10]);
        let failed =
            |source| Error::Postgres { what: format!("create the database {name}"), source };
        let admin = server.admin("postgres").await?;
        admin
            .batch_execute(&format!("CREATE ROLE \"{name}\" LOGIN PASSWORD '{suffix}'"))
            .await
            .map_err(failed)?;
        create_owned(&admin, &name).await.map_err(failed)?;
        let url = server.url(&name, Some(&suffix), &name);
        Ok(Self { server: server.clone(), name, url })
    }

    /// The owner's URL, which is what a service gets.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A superuser's URL, e.g. to terminate backends.
    pub fn admin_url(&self) -> String {
        self.server.admin_url_of(&self.name)
    }

    /// The database's name, which is its role's too.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection as the owner; it lives as long as the client does.
    pub async fn connect(&self) -> Result<Client> {
        let config: Config = self.url.parse().map_err(|source| Error::Postgres {
            what: format!("parse the URL of {}", self.name),
            source,
        })?;
        connect(&config).await
    }

    /// A superuser's connection to this database.
    pub async fn connect_admin(&self) -> Result<Client> {
        self.server.admin(&self.name).await
    }
}

impl Drop for TestDatabase {
    /// Best effort: the cluster may be down, and it goes away with all its databases in the end.
    fn drop(&mut self) {
        let (done, finished) = mpsc::channel();
        let job = Job { server: self.server.clone(), name: self.name.clone(), done };
        if dropper().is_some_and(|jobs| jobs.send(job).is_ok()) {
            let _ = finished.recv_timeout(DROP_PATIENCE);
        }
    }
}

struct Job {
    server: Server,
    name: String,
    done: Sender<()>,
}

/// A thread with a runtime of its own, as the test's runtime may be ending, or have no second
/// thread to run the drop on.
fn dropper() -> Option<&'static Sender<Job>> {
    static DROPPER: OnceLock<Option<Sender<Job>>> = OnceLock::new();
    DROPPER
        .get_or_init(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            let (jobs, queue) = mpsc::channel::<Job>();
            thread::Builder::new()
                .name("database-dropper".to_owned())
                .spawn(move || {
                    for Job { server, name, done } in queue {
                        let _ = runtime.block_on(async {
                            tokio::time::timeout(DROP_PATIENCE, drop_database(&server, &name)).await
                        });
                        let _ = done.send(());
                    }
                })
                .ok()?;
            Some(jobs)
        })
        .as_ref()
}

async fn drop_database(server: &Server, name: &str) -> Result<()> {
    let failed = |source| Error::Postgres { what: format!("drop the database {name}"), source };
    let admin = server.admin("postgres").await?;
    admin
        .batch_execute(&format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"))
        .await
        .map_err(failed)?;
    admin.batch_execute(&format!("DROP ROLE IF EXISTS \"{name}\"")).await.map_err(failed)
}
