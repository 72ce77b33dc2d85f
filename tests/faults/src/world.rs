//! Everything that runs: servers, relays, the application, and the ways between them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex as SyncMutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use outbox_sidecar_core::config::Delivery;
use test_support::{
    bin_dir,
    kafka::{self, Broker},
    ports,
    postgres::{self, Cluster, TestDatabase},
    process::{Output, Process, Spec},
    proxy::Proxy,
    scratch::Scratch,
};
use tokio::sync::Mutex;

use crate::{
    application::Failure,
    relays::{Common, PATIENCE, Relay, through},
    writer::key_name,
};

const SCHEMA: &str = include_str!("schema.sql");

/// The one topic.
pub const TOPIC: &str = "ledger";

/// Its partitions.
pub const PARTITIONS: i32 = 6;

/// No batch larger than this is taken by the broker, in bytes; a large poison row is.
const LARGEST_BATCH: &str = "300000";

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Size {
    /// Relays that run all along. One more can be added.
    pub relays: usize,
    /// Their lease.
    pub lease: Duration,
    /// How they publish.
    pub delivery: Delivery,
    /// Keys that events are written for.
    pub keys: usize,
    /// Where logs go, if they are kept.
    pub logs: Option<PathBuf>,
}

/// The processes. Dropping it ends them and removes their files.
#[derive(Debug)]
pub struct World {
    /// The relays that run all along, and one more at the end.
    pub relays: Vec<Relay>,
    /// The application.
    pub application: Application,
    /// The broker.
    pub broker: Broker,
    /// Locked by who does something to the broker.
    pub broker_turn: Mutex<()>,
    /// Locked by who does something to the way to the broker.
    pub kafka_turn: Mutex<()>,
    /// The database that everything is in.
    pub database: Arc<TestDatabase>,
    /// The database server.
    pub cluster: Cluster,
    /// Locked by who does something to the database server.
    pub cluster_turn: Mutex<()>,
    ended: SyncMutex<Vec<String>>,
    _files: Scratch,
}

/// The application's process.
#[derive(Debug)]
pub struct Application {
    /// Locked by who does something to it.
    pub process: Mutex<Process>,
    /// Its way to the database; locked likewise.
    pub database: Mutex<Proxy>,
    base: String,
    http: reqwest::Client,
}

impl World {
    /// Starts everything and waits until it serves.
    ///
    /// # Errors
    /// Something does not start; the programs may have to be built.
    pub async fn start(size: &Size) -> anyhow::Result<Self> {
        let (sidecar, me) = (program("outbox-sidecar")?, program("fault-ledger")?);
        if let Some(dir) = &size.logs {
            std::fs::create_dir_all(dir)
                .with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let output = |name: &str| match &size.logs {
            Some(dir) => Output::File(dir.join(format!("{name}.log"))),
            None => Output::default(),
        };
        let cluster = Cluster::start_with(postgres::Options {
            output: output("postgres"),
            ..postgres::Options::default()
        });
        let broker = Broker::start_with(kafka::Options {
            proxied: true,
            settings: vec![("message.max.bytes".to_owned(), LARGEST_BATCH.to_owned())],
            output: output("kafka"),
            ..kafka::Options::default()
        });
        let (cluster, broker) = futures::try_join!(cluster, broker)?;
        let database = cluster.database("faults").await?;
        make_tables(&database, size.keys).await?;
        broker.create_topic(TOPIC, PARTITIONS).await?;
        let application =
            Application::start(&me, &cluster, &database, output("application")).await?;
        let common = Common {
            bootstrap: broker.proxied_bootstrap().context("the broker has no proxy")?,
            topic: TOPIC.to_owned(),
            inbox_url: format!("{}/inbox", application.base),
            lease: size.lease,
            delivery: size.delivery,
        };
        let files = Scratch::new("faults")?;
        let mut relays = Vec::new();
        for number in 0..=size.relays {
            let at = (cluster.port(), database.url());
            let output = output(&format!("relay-{}", number + 1));
            let relay = Relay::new(number, &sidecar, &common, at, files.path(), output).await?;
            if number < size.relays {
                *relay.process.lock().await = Some(relay.started().await?);
            }
            relays.push(relay);
        }
        Ok(Self {
            relays,
            application,
            broker,
            broker_turn: Mutex::default(),
            kafka_turn: Mutex::default(),
            database: Arc::new(database),
            cluster,
            cluster_turn: Mutex::default(),
            ended: SyncMutex::default(),
            _files: files,
        })
    }

    /// The relay that is there for a while only.
    ///
    /// # Errors
    /// There are no relays at all.
    pub fn extra_relay(&self) -> anyhow::Result<&Relay> {
        self.relays.last().context("there are no relays")
    }

    /// Writes down that a process ended when it should not have, or not as it should have.
    pub fn note(&self, how: String) {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).push(how);
    }

    /// What was [noted](Self::note).
    pub fn noted(&self) -> Vec<String> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down which processes have ended by themselves since the last time, and starts them
    /// again, so that one that fails does not hide what comes after it.
    ///
    /// # Errors
    /// One does not start.
    pub async fn look_after(&self) -> anyhow::Result<()> {
        for relay in &self.relays {
            if let Ok(mut process) = relay.process.try_lock()
                && let Some(ended) = process.as_ref().filter(|process| !process.is_running())
            {
                self.note(last_words(ended));
                *process = Some(relay.started().await?);
            }
        }
        if let Ok(process) = self.application.process.try_lock()
            && !process.is_running()
        {
            self.note(last_words(&process));
            self.application.restarted(&process).await?;
        }
        for (turn, process) in [
            (&self.broker_turn, self.broker.process()),
            (&self.cluster_turn, self.cluster.process()),
        ] {
            if let Ok(_turn) = turn.try_lock()
                && !process.is_running()
            {
                self.note(last_words(process));
                process.start()?;
            }
        }
        Ok(())
    }

    /// Stops the relays in good order.
    pub async fn stop_relays(&self) {
        for relay in &self.relays {
            if let Some(process) = relay.process.lock().await.take()
                && let Some(problem) = relay.stopped(&process).await
            {
                self.note(problem);
            }
        }
    }
}

impl Application {
    async fn start(
        program: &Path,
        cluster: &Cluster,
        database: &TestDatabase,
        output: Output,
    ) -> anyhow::Result<Self> {
        let proxy = Proxy::start(cluster.port()).await?;
        let listen = format!("127.0.0.1:{}", ports::free()?);
        let spec = Spec::new("application", program)
            .args(["application", "--listen", &listen])
            .env("DATABASE_URL", through(database.url(), cluster.port(), proxy.port()))
            .output(output);
        let application = Self {
            process: Mutex::new(Process::spawn(spec)?),
            database: Mutex::new(proxy),
            base: format!("http://{listen}"),
            http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?,
        };
        let process = application.process.lock().await;
        application.ready(&process).await?;
        drop(process);
        Ok(application)
    }

    /// Starts the process again after it has ended.
    ///
    /// # Errors
    /// It does not serve in time.
    pub async fn restarted(&self, process: &Process) -> anyhow::Result<()> {
        process.start()?;
        self.ready(process).await
    }

    async fn ready(&self, process: &Process) -> anyhow::Result<()> {
        Ok(process.wait_ready(&format!("{}/readyz", self.base), PATIENCE).await?)
    }

    /// Tells it how to fail from now on.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn fail(&self, failure: Failure) -> anyhow::Result<()> {
        let request = self.http.post(format!("{}/failure", self.base)).json(&failure);
        request.send().await?.error_for_status().context("the application takes no orders")?;
        Ok(())
    }
}

fn last_words(process: &Process) -> String {
    let status =
        process.exit_status().map_or_else(|| "no status".to_owned(), |status| status.to_string());
    format!("{} ({status}):\n{}", process.name(), process.tail(20))
}

fn program(name: &str) -> anyhow::Result<PathBuf> {
    let program = bin_dir()?.join(name);
    anyhow::ensure!(
        program.is_file(),
        "{} is missing; build it with `cargo build{} --workspace --bins`",
        program.display(),
        if program.components().any(|part| part.as_os_str() == "release") {
            " --release"
        } else {
            ""
        }
    );
    Ok(program)
}

async fn make_tables(database: &TestDatabase, keys: usize) -> anyhow::Result<()> {
    let client = database.connect().await?;
    client.batch_execute(SCHEMA).await.context("cannot create the tables")?;
    let names: Vec<String> = (0..keys).map(key_name).collect();
    client
        .execute("INSERT INTO entity (key) SELECT unnest($1::text[])", &[&names])
        .await
        .context("cannot create the entities")?;
    Ok(())
}
