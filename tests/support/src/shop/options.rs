//! How to start a shop.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use outbox_sidecar_core::config::Config;

use super::addresses::Addresses;
use crate::error::{IoContext, Result};
use crate::process::Output;
use crate::scratch::Scratch;
use crate::{fixtures, kafka, postgres};

/// Where the shop's databases and topics live.
#[derive(Clone, Debug, Default)]
pub enum Data {
    /// Fresh databases that are dropped with the shop.
    #[default]
    Temporary,
    /// This folder; databases, topics and messages last.
    Persistent(PathBuf),
}

/// Changes a sidecar's configuration before it starts; gets the service's name.
pub type Reconfigure = Arc<dyn Fn(&str, &mut Config) + Send + Sync>;
/// Says where a part's output goes; gets its name.
pub type OutputOf = Arc<dyn Fn(&str) -> Output + Send + Sync>;
/// Hears of progress while the shop starts.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// How to start a shop; [`default`](Self::default) is one with everything its own and temporary.
#[derive(Clone)]
pub struct ShopOptions {
    /// Where its programs listen; free ports by default.
    pub addresses: Option<Addresses>,
    /// Where its data lives.
    pub data: Data,
    /// The PostgreSQL server to make databases on; one of its own by default.
    pub postgres: Option<postgres::Server>,
    /// The Kafka cluster to use; a broker of its own by default.
    pub kafka: Option<kafka::Server>,
    /// Precedes the names of topics and consumer groups, so that shops can share a broker.
    pub prefix: String,
    /// Sidecar processes per service.
    pub sidecars: usize,
    /// Whether the built web interface is served too.
    pub ui: bool,
    /// Variables for single programs: program (`orders`, `orders-sidecar`, …), name, value.
    pub env: Vec<(String, String, String)>,
    /// The folder of the shop's programs; by default where the running program was built.
    pub bin_dir: Option<PathBuf>,
    /// Set by [`run_in`](Self::run_in).
    pub run_dir: Option<PathBuf>,
    /// Set by [`reconfigure`](Self::reconfigure).
    pub reconfigure: Option<Reconfigure>,
    /// Set by [`output_of`](Self::output_of).
    pub output: Option<OutputOf>,
    /// Set by [`progress`](Self::progress).
    pub progress: Option<Progress>,
}

impl Default for ShopOptions {
    fn default() -> Self {
        Self {
            addresses: None,
            data: Data::default(),
            postgres: None,
            kafka: None,
            prefix: String::new(),
            sidecars: 1,
            ui: false,
            env: Vec::new(),
            bin_dir: None,
            run_dir: None,
            reconfigure: None,
            output: None,
            progress: None,
        }
    }
}

impl fmt::Debug for ShopOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShopOptions")
            .field("data", &self.data)
            .field("prefix", &self.prefix)
            .field("sidecars", &self.sidecars)
            .finish_non_exhaustive()
    }
}

impl ShopOptions {
    /// A shop on the [shared](fixtures) PostgreSQL server and Kafka broker, with databases, topics
    /// and consumer groups of its own.
    ///
    /// # Panics
    /// When these cannot be started.
    pub async fn on_shared_servers() -> Self {
        let (postgres, kafka) = futures::join!(fixtures::postgres(), fixtures::kafka());
        Self {
            postgres: Some(postgres.clone()),
            kafka: Some(kafka.clone()),
            prefix: format!("{}-", kafka::Server::unique("shop")),
            ..Self::default()
        }
    }

    /// Sets a variable of one program (`orders`, `payments-sidecar`, `gateway`, …).
    #[must_use]
    pub fn env(mut self, program: &str, name: &str, value: impl Into<String>) -> Self {
        self.env.push((program.to_owned(), name.to_owned(), value.into()));
        self
    }

    /// Changes the sidecars' configurations before they start; the function gets the name of the
    /// service.
    #[must_use]
    pub fn reconfigure(
        mut self,
        change: impl Fn(&str, &mut Config) + Send + Sync + 'static,
    ) -> Self {
        self.reconfigure = Some(Arc::new(change));
        self
    }

    /// Says where the output of each part goes, by its name.
    #[must_use]
    pub fn output_of(mut self, output: impl Fn(&str) -> Output + Send + Sync + 'static) -> Self {
        self.output = Some(Arc::new(output));
        self
    }

    /// Hears of progress while the shop starts.
    #[must_use]
    pub fn progress(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(tell));
        self
    }

    /// Where the written configurations go; a temporary folder by default.
    #[must_use]
    pub fn run_in(mut self, dir: impl Into<PathBuf>) -> Self {
        self.run_dir = Some(dir.into());
        self
    }

    pub(super) fn output(&self, name: &str) -> Output {
        self.output.as_ref().map_or_else(Output::default, |output| output(name))
    }

    pub(super) fn tell(&self, news: &str) {
        if let Some(progress) = &self.progress {
            progress(news);
        }
    }

    pub(super) fn run_dir(&self) -> Result<(PathBuf, Option<Scratch>)> {
        match &self.run_dir {
            Some(dir) => {
                fs::create_dir_all(dir).context(|| format!("create {}", dir.display()))?;
                Ok((dir.clone(), None))
            }
            None => {
                let scratch = Scratch::new("shop")?;
                Ok((scratch.path().to_owned(), Some(scratch)))
            }
        }
    }
}
