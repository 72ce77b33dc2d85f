//! A PostgreSQL cluster as a child process.

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::{Config, NoTls};

use super::install::Install;
use super::server::Server;
use crate::blocking::blocking;
use crate::error::{Error, IoContext, Result};
use crate::ports;
use crate::process::{Output, Process, Signal, Spec};
use crate::scratch::Scratch;

const START_DEADLINE: Duration = Duration::from_secs(60);

/// A Unix socket's path ends at 107 bytes, of which its name takes some.
const SOCKET_DIR_LIMIT: usize = 80;

/// Where a cluster keeps its data.
#[derive(Clone, Debug, Default)]
pub enum Storage {
    /// In a temporary folder, without `fsync`, open to everybody on the loopback interface.
    #[default]
    Temporary,
    /// In this folder, durable, with a generated superuser password in `superuser.password`
    /// (mode 0600) beside the data.
    Persistent(PathBuf),
}

/// How to start a cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name in logs.
    pub name: String,
    /// The port on 127.0.0.1; a free one by default.
    pub port: Option<u16>,
    /// Where the data lives.
    pub storage: Storage,
    /// `max_connections`.
    pub max_connections: u32,
    /// More server settings.
    pub settings: Vec<(String, String)>,
    /// Where the log goes.
    pub output: Output,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "postgres".to_owned(),
            port: None,
            storage: Storage::default(),
            max_connections: 400,
            settings: Vec::new(),
            output: Output::default(),
        }
    }
}

/// A running cluster; dereferences to [`Server`], which makes databases. Dropping it kills the
/// server and removes temporary data.
#[derive(Debug)]
pub struct Cluster {
    // Killed before the folder below is removed: fields drop in this order.
    process: Process,
    server: Server,
    port: u16,
    _scratch: Option<Scratch>,
}

impl Deref for Cluster {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Cluster {
    /// A throwaway cluster with the defaults.
    pub async fn temporary() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts a cluster and waits until it answers.
    pub async fn start_with(options: Options) -> Result<Self> {
        // initdb and cp block for up to seconds.
        let layout = {
            let options = options.clone();
            blocking(move || Layout::prepare(&options)).await?
        };
        let port = match options.port {
            Some(port) => {
                ports::ensure_free(port, "PostgreSQL")?;
                port
            }
            None => ports::free()?,
        };
        let mut admin = Config::new();
        admin.host("127.0.0.1").port(port).user("postgres").dbname("postgres");
        admin.connect_timeout(Duration::from_secs(5));
        if let Some(password) = &layout.password {
            admin.password(password);
        }
        let process = Process::spawn(layout.spec(&options, port))?;
        let server = Server::from_config(admin);
        let cluster = Self { process, server, port, _scratch: layout.scratch };
        cluster.wait_ready().await?;
        Ok(cluster)
    }

    /// The port on 127.0.0.1, the same across restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What makes databases on this cluster.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The server process, for its log lines and signals.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// SIGKILL to the server, as in a crash; its backends follow at once. Data that was committed
    /// is recovered on the next [`start`](Self::start).
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// A fast shutdown: open transactions are rolled back, connections closed.
    pub async fn stop(&self, grace: Duration) {
        self.process.stop(grace).await;
    }

    /// Starts it again on the same data and port, and waits until it answers.
    pub async fn start(&self) -> Result<()> {
        // Backends of a killed server hold its shared memory for a moment, in which a new one
        // refuses to start.
        for _ in 0..50 {
            self.process.start()?;
            match self.wait_ready().await {
                Err(Error::Exited { tail, .. }) if tail.contains("still in use") => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                done => return done,
            }
        }
        self.process.start()?;
        self.wait_ready().await
    }

    /// A fast shutdown, then [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.stop(Duration::from_secs(20)).await;
        self.start().await
    }

    async fn wait_ready(&self) -> Result<()> {
        self.process
            .wait_until(START_DEADLINE, || async {
                let connected = self.server.config().connect(NoTls).await;
                // The connection itself is dropped: being let in is the answer.
                connected.map(drop).map_err(|err| match err.as_db_error() {
                    Some(db) => db.message().to_owned(),
                    None => err.to_string(),
                })
            })
            .await
    }
}

/// Files of a cluster, ready to be started on.
struct Layout {
    install: Install,
    /// Holds `data`, and the socket if its path is short enough.
    dir: PathBuf,
    data: PathBuf,
    password: Option<String>,
    scratch: Option<Scratch>,
}

impl Layout {
    fn prepare(options: &Options) -> Result<Self> {
        match &options.storage {
            Storage::Temporary => Self::temporary(),
            Storage::Persistent(dir) => Self::persistent(dir),
        }
    }

    fn temporary() -> Result<Self> {
        let install = Install::find(None)?;
        let scratch = Scratch::new("pg")?;
        let dir = scratch.path().to_owned();
        let data = dir.join("data");
        install.own(&dir)?;
        install.init_from_template(&data)?;
        Ok(Self { install, dir, data, password: None, scratch: Some(scratch) })
    }

    fn persistent(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).context(|| format!("create {}", dir.display()))?;
        let dir = dir.canonicalize().context(|| format!("find {}", dir.display()))?;
        let data = dir.join("data");
        let version = fs::read_to_string(data.join("PG_VERSION"))
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let install = Install::find(version)?;
        install.own(&dir)?;
        install.check_reachable(&dir)?;
        let password_file = dir.join("superuser.password");
        if version.is_none() {
            // Debris of an initdb that was interrupted.
            if data.exists() {
                fs::remove_dir_all(&data).context(|| format!("remove {}", data.display()))?;
            }
            write_secret(&password_file, &generate_password())?;
            install.own(&password_file)?;
            install.init(&data, Some(&password_file))?;
        }
        let password = fs::read_to_string(&password_file)
            .context(|| format!("read {}", password_file.display()))?;
        Ok(Self { install, dir, data, password: Some(password.trim().to_owned()), scratch: None })
    }

    fn spec(&self, options: &Options, port: u16) -> Spec {
        let durable = self.scratch.is_none();
        let socket_dir =
            self.dir.to_str().filter(|dir| dir.len() <= SOCKET_DIR_LIMIT).unwrap_or_default();
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", port.to_string()),
            ("unix_socket_directories", socket_dir.to_owned()),
            ("max_connections", options.max_connections.to_string()),
            ("max_prepared_transactions", "16".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("log_timezone", "UTC".to_owned()),
            ("log_checkpoints", "off".to_owned()),
            ("shared_buffers", "128MB".to_owned()),
        ];
        if !durable {
            settings.extend([("fsync", "off".to_owned()), ("full_page_writes", "off".to_owned())]);
        }
        let settings = settings
            .iter()
            .map(|(key, value)| (*key, value))
            .chain(options.settings.iter().map(|(key, value)| (key.as_str(), value)))
            .flat_map(|(key, value)| ["-c".to_owned(), format!("{key}={value}")]);
        Spec::new(&options.name, self.install.bin.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .args(settings)
            .dir("/")
            .user(self.install.user.clone())
            .stop_signal(Signal::INT)
            // An orphaned durable cluster closes its files in good order; a throwaway one is gone.
            .on_parent_death(if durable { Signal::INT } else { Signal::KILL })
            .output(options.output.clone())
    }
}

/// 122 random bits.
pub(crate) fn generate_password() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Writes a file only its owner can read.
pub(crate) fn write_secret(path: &Path, secret: &str) -> Result<()> {
    let write = || {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        writeln!(file, "{secret}")
    };
    write().context(|| format!("write {}", path.display()))
}
