//! PgBouncer in front of a test's database.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;

use super::database::TestDatabase;
use super::install::unprivileged_user;
use crate::error::{Error, IoContext, Result};
use crate::ports;
use crate::process::{Process, Spec};
use crate::scratch::Scratch;

const START_DEADLINE: Duration = Duration::from_secs(60);

/// Where Debian puts it, which is not in everybody's `PATH`.
const DEBIAN: &str = "/usr/sbin/pgbouncer";

/// A running PgBouncer in transaction mode: a client has a server's connection for the length of a
/// transaction only. Dropping it kills it.
#[derive(Debug)]
pub struct Pooler {
    // Killed before the folder below is removed: fields drop in this order.
    process: Process,
    url: String,
    _scratch: Scratch,
}

impl Pooler {
    /// Starts one for a database, with so many connections to it, and waits until it listens.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not start.
    pub async fn start(database: &TestDatabase, connections: u32) -> Result<Self> {
        let program = find()?;
        let config: Config = database.url().parse().map_err(|source| Error::Postgres {
            what: format!("parse the URL of {}", database.name()),
            source,
        })?;
        let server = config.get_ports().first().copied().unwrap_or(5432);
        let password = config.get_password().map(String::from_utf8_lossy).unwrap_or_default();
        let (name, port) = (database.name(), ports::free()?);

        let scratch = Scratch::new("pgbouncer")?;
        let users = scratch.path().join("users.txt");
        write(&users, &format!("\"{name}\" \"{password}\"\n"))?;
        let settings = scratch.path().join("pgbouncer.ini");
        write(
            &settings,
            &format!(
                "[databases]\n\
                 {name} = host=127.0.0.1 port={server}\n\
                 [pgbouncer]\n\
                 listen_addr = 127.0.0.1\n\
                 listen_port = {port}\n\
                 unix_socket_dir =\n\
                 auth_type = scram-sha-256\n\
                 auth_file = {users}\n\
                 pool_mode = transaction\n\
                 default_pool_size = {connections}\n",
                users = users.display(),
            ),
        )?;
        // It refuses to run as root.
        let user =
            if rustix::process::geteuid().is_root() { Some(unprivileged_user()?) } else { None };
        let process =
            Process::spawn(Spec::new("pgbouncer", program).arg(&settings).dir("/").user(user))?;
        process.wait_listening(port, START_DEADLINE).await?;
        let url = format!("postgres://{name}:{password}@127.0.0.1:{port}/{name}");
        Ok(Self { process, url, _scratch: scratch })
    }

    /// The database's URL by way of the pooler.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process, for its log lines.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn find() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|dir| dir.join("pgbouncer"))
        .chain([PathBuf::from(DEBIAN)])
        .find(|program| program.is_file())
        .ok_or_else(|| Error::Missing {
            what: "PgBouncer".to_owned(),
            remedy: "install it with `make setup` (Debian package `pgbouncer`)".to_owned(),
        })
}

/// The password in it is of a database that lives as long as the test, and whoever may read the
/// file may also connect to it.
fn write(path: &std::path::Path, text: &str) -> Result<()> {
    fs::write(path, text).context(|| format!("write {}", path.display()))
}
