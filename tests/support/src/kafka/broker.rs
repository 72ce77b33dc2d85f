//! One broker, which is its own controller, as a child process.

use std::fmt::Write as _;
use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::install::Install;
use super::server::Server;
use crate::blocking::blocking;
use crate::error::{Error, IoContext, Result};
use crate::ports;
use crate::process::{Output, Process, Signal, Spec};
use crate::proxy::Proxy;
use crate::scratch::Scratch;

const START_DEADLINE: Duration = Duration::from_secs(90);
const STOP_GRACE: Duration = Duration::from_secs(30);

/// Where a broker keeps its data.
#[derive(Clone, Debug, Default)]
pub enum Storage {
    /// In a temporary folder.
    #[default]
    Temporary,
    /// In this folder.
    Persistent(PathBuf),
}

/// How to start a broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The name in logs.
    pub name: String,
    /// The client port on 127.0.0.1; a free one by default.
    pub port: Option<u16>,
    /// The controller's port on 127.0.0.1; a free one by default.
    pub controller_port: Option<u16>,
    /// Where the data lives.
    pub storage: Storage,
    /// Also listen behind a [`Proxy`]: clients that start from
    /// [`proxied_bootstrap`](Broker::proxied_bootstrap) stay behind it, whatever broker address
    /// they learn.
    pub proxied: bool,
    /// More broker settings, in the form of `server.properties`.
    pub settings: Vec<(String, String)>,
    /// Where the log goes.
    pub output: Output,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "kafka".to_owned(),
            port: None,
            controller_port: None,
            storage: Storage::default(),
            proxied: false,
            settings: Vec::new(),
            output: Output::default(),
        }
    }
}

/// A running broker; dereferences to [`Server`], which makes topics. Dropping it kills the broker
/// and removes temporary data.
#[derive(Debug)]
pub struct Broker {
    // Killed before the folder below is removed: fields drop in this order.
    process: Process,
    server: Server,
    proxy: Option<Proxy>,
    _scratch: Option<Scratch>,
}

impl Deref for Broker {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Broker {
    /// A throwaway broker with the defaults.
    pub async fn temporary() -> Result<Self> {
        Self::start_with(Options::default()).await
    }

    /// Starts a broker and waits until it answers a request for metadata. The first time on a
    /// machine this fetches the jars, which takes a minute.
    pub async fn start_with(options: Options) -> Result<Self> {
        let install = blocking(Install::find).await?;
        make_class_archive(&install).await;
        Self::start_installed(install, options).await
    }

    async fn start_installed(install: Install, options: Options) -> Result<Self> {
        let fixed = |port: Option<u16>, component| match port {
            Some(port) => ports::ensure_free(port, component).map(|()| port),
            None => ports::free(),
        };
        let port = fixed(options.port, "Kafka")?;
        let controller_port = fixed(options.controller_port, "Kafka's controller")?;
        let behind_proxy = if options.proxied { Some(ports::free()?) } else { None };
        let proxy = match behind_proxy {
            Some(upstream) => Some(Proxy::start(upstream).await?),
            None => None,
        };
        let listeners = Listeners {
            port,
            controller_port,
            proxied: behind_proxy.zip(proxy.as_ref().map(Proxy::port)),
        };
        let (spec, scratch) = blocking(move || prepare(&install, &options, &listeners)).await?;
        let broker = Self {
            process: Process::spawn(spec)?,
            server: Server::attach(format!("127.0.0.1:{port}")),
            proxy,
            _scratch: scratch,
        };
        broker.wait_ready().await?;
        Ok(broker)
    }

    /// What makes topics on this broker.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The broker's process, for its log lines and signals.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The proxy in front of the broker, if [`Options::proxied`] asked for one.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// `host:port` of the proxy; clients that start here stay behind it.
    pub fn proxied_bootstrap(&self) -> Option<String> {
        self.proxy.as_ref().map(|proxy| format!("127.0.0.1:{}", proxy.port()))
    }

    /// SIGKILL, as in a crash. What was acknowledged is there after [`start`](Self::start).
    pub async fn kill(&self) {
        self.process.kill().await;
    }

    /// Stops it in good order.
    pub async fn stop(&self) {
        self.process.stop(STOP_GRACE).await;
    }

    /// Starts it again on the same data and ports, and waits until it answers.
    pub async fn start(&self) -> Result<()> {
        self.process.start()?;
        self.wait_ready().await
    }

    /// [`stop`](Self::stop), then [`start`](Self::start).
    pub async fn restart(&self) -> Result<()> {
        self.stop().await;
        self.start().await
    }

    async fn wait_ready(&self) -> Result<()> {
        self.process.wait_until(START_DEADLINE, || self.server.probe()).await
    }
}

/// Records the classes of a broker's start, once per machine: the archive makes every later start
/// about three times as fast. It is only a matter of speed, so a failure is passed over.
async fn make_class_archive(install: &Install) {
    let archive = install.class_archive();
    if archive.is_file() {
        return;
    }
    // Renamed when complete: a broker that starts meanwhile must not map half of it.
    let aside = archive.with_extension(format!("{}.tmp", std::process::id()));
    let recorded = async {
        let recording = install.clone().recording(aside.clone());
        let broker = Broker::start_installed(recording, Options::default()).await?;
        broker.stop().await;
        fs::rename(&aside, &archive).context(|| format!("write {}", archive.display()))
    };
    let _ = recorded.await;
    let _ = fs::remove_file(&aside);
}

struct Listeners {
    port: u16,
    controller_port: u16,
    /// The port behind the proxy and the proxy's own.
    proxied: Option<(u16, u16)>,
}

/// Writes the configuration, formats the data directory if need be, and says how to start.
fn prepare(
    install: &Install,
    options: &Options,
    listeners: &Listeners,
) -> Result<(Spec, Option<Scratch>)> {
    let (dir, scratch) = match &options.storage {
        Storage::Temporary => {
            let scratch = Scratch::new("kafka")?;
            (scratch.path().to_owned(), Some(scratch))
        }
        Storage::Persistent(dir) => (dir.clone(), None),
    };
    fs::create_dir_all(&dir).context(|| format!("create {}", dir.display()))?;
    let dir = dir.canonicalize().context(|| format!("find {}", dir.display()))?;
    let data = dir.join("data");
    let config = dir.join("server.properties");
    fs::write(&config, properties(&data, listeners, &options.settings))
        .context(|| format!("write {}", config.display()))?;
    if !data.join("meta.properties").is_file() {
        if scratch.is_some() {
            copy_formatted(install, listeners, &data)?;
        } else {
            install.format(&config, &cluster_id())?;
        }
    }
    let spec = install
        .jvm(&options.name, scratch.is_some())
        .args(["-Xms128m", "-Xmx512m", "kafka.Kafka"])
        .arg(&config)
        .dir(&dir)
        // An orphaned broker with data to keep closes its files in good order.
        .on_parent_death(if scratch.is_some() { Signal::KILL } else { Signal::TERM })
        .output(options.output.clone());
    Ok((spec, scratch))
}

/// A formatted data directory holds no path and no port, so one serves all throwaway brokers.
fn copy_formatted(install: &Install, listeners: &Listeners, data: &Path) -> Result<()> {
    let template = install.formatted_template();
    if !template.is_dir() {
        let parent = template.parent().unwrap_or(Path::new("."));
        let aside =
            tempfile::tempdir_in(parent).context(|| format!("write into {}", parent.display()))?;
        let config = aside.path().join("server.properties");
        let formatted = aside.path().join("data");
        fs::write(&config, properties(&formatted, listeners, &[]))
            .context(|| format!("write {}", config.display()))?;
        install.format(&config, &cluster_id())?;
        // Somebody else may have been faster, and theirs is as good.
        if let Err(source) = fs::rename(&formatted, &template)
            && !template.is_dir()
        {
            return Err(Error::Io { what: format!("create {}", template.display()), source });
        }
    }
    fs::create_dir_all(data).context(|| format!("create {}", data.display()))?;
    for entry in fs::read_dir(&template).context(|| format!("read {}", template.display()))? {
        let entry = entry.context(|| format!("read {}", template.display()))?;
        fs::copy(entry.path(), data.join(entry.file_name()))
            .context(|| format!("copy {}", entry.path().display()))?;
    }
    Ok(())
}

/// Kafka wants 16 random bytes in URL-safe base64: 22 characters, of which hexadecimal ones are
/// a subset.
fn cluster_id() -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    id.get(..22).unwrap_or(&id).to_owned()
}

fn properties(data: &Path, at: &Listeners, extra: &[(String, String)]) -> String {
    let Listeners { port, controller_port, proxied } = at;
    let (mut listens, mut advertises, mut protocols) =
        (String::new(), String::new(), String::new());
    if let Some((upstream, proxy)) = proxied {
        let _ = write!(listens, ",PROXIED://127.0.0.1:{upstream}");
        let _ = write!(advertises, ",PROXIED://127.0.0.1:{proxy}");
        protocols.push_str(",PROXIED:PLAINTEXT");
    }
    let mut text = format!(
        "# Written on every start.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}{listens}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}{advertises}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
# A lone broker holds every replica.
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# The first consumer of a group need not wait for others.
group.initial.rebalance.delay.ms=0
# A killed broker may register again only when its old session has run out.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
",
        data = data.display(),
    );
    for (key, value) in extra {
        let _ = writeln!(text, "{key}={value}");
    }
    text
}
