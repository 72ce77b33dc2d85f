//! The parts of a sidecar under one configuration: started, kept going, stopped.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use deadpool_postgres::Pool;
use outbox_sidecar_core::{
    backoff::Backoff,
    config::{Config, Inbox},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    admin::access::AdminToken,
    database,
    dead_letter::{DeadLetters, forward::Forwarder},
    error::{Error, chain},
    horizon,
    inbox::{broadcast::BroadcastRelay, http::Clients, ingest::InboxRelay},
    kafka::topics::TopicMaker,
    metrics::Metrics,
    outbox::{
        relay::OutboxRelay,
        wake::{Neighbours, Poked, Wake},
    },
    status::Status,
    upkeep,
};

/// Waits between attempts of a part that failed.
const RESTART: Backoff =
    Backoff { initial: Duration::from_millis(100), maximum: Duration::from_secs(5) };

/// A part that ran this long had recovered from what was wrong before.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// No part takes longer than this to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// Everything that one configuration asks for.
pub struct Parts {
    config: Config,
    /// Where there are tables.
    pool: Option<Pool>,
    topics: Arc<TopicMaker>,
    http: Clients,
    wakes: Vec<Wake>,
    admin_token: Option<AdminToken>,
    metrics: Metrics,
    status: Status,
}

impl Parts {
    /// Reads secrets and certificates; opens no connection yet.
    ///
    /// # Errors
    /// One of them is missing, or not usable.
    pub fn new(config: &Config, metrics: &Metrics, status: &Status) -> anyhow::Result<Self> {
        let http = Clients::new().context("cannot set up the HTTP client")?;
        Ok(Self {
            pool: database::pool_of(config)?,
            topics: Arc::new(TopicMaker::new(&config.kafka, config.topics.clone())?),
            http,
            admin_token: config.admin.token.as_ref().map(AdminToken::read).transpose()?,
            wakes: config.outboxes.iter().map(|_| Wake::default()).collect(),
            config: config.clone(),
            metrics: metrics.clone(),
            status: status.clone(),
        })
    }

    /// One for each outbox, to poke it.
    pub fn wakes(&self) -> Vec<Wake> {
        self.wakes.clone()
    }

    /// What opens dead letters to others than loopback.
    pub fn admin_token(&self) -> Option<AdminToken> {
        self.admin_token
    }

    /// Its dead letters.
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.config.clone(), self.pool.clone())
    }

    /// Runs until told to stop; then finishes what is under way.
    ///
    /// Nothing outside need be there yet: what is missing is waited for, named in
    /// the log and in `/status`.
    ///
    /// # Errors
    /// A part panicked.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        if stop.is_cancelled() {
            return Ok(());
        }
        if let Some(pool) = &self.pool {
            let waiting = |what| self.status.waiting(Some(what));
            let prepare = || database::prepare(pool);
            keep_going("schema", &stop, &self.metrics, waiting, prepare).await;
            self.status.waiting(None);
        }
        if stop.is_cancelled() {
            return Ok(());
        }
        let mut parts = JoinSet::new();
        if let Some(pool) = &self.pool {
            self.start_tables(pool, &mut parts, &stop);
        }
        self.start_broadcasts(&mut parts, &stop);

        // Parts end only when told to; one that panicked would leave its work undone
        // behind a healthy face, so the process ends and is started anew.
        let panicked = tokio::select! {
            () = stop.cancelled() => None,
            Some(Err(panic)) = parts.join_next() => Some(panic),
        };
        if let Some(panic) = panicked {
            return Err(anyhow::Error::new(panic).context("a part of the sidecar has failed"));
        }
        if timeout(SHUTDOWN_TIMEOUT, async { while parts.join_next().await.is_some() {} })
            .await
            .is_err()
        {
            tracing::warn!(
                "stopping took too long; what was under way is done again at the next start"
            );
        }
        Ok(())
    }

    fn start_tables(&self, pool: &Pool, parts: &mut JoinSet<()>, stop: &CancellationToken) {
        for (outbox, wake) in self.config.outboxes.iter().zip(&self.wakes) {
            let relay = OutboxRelay {
                config: outbox.clone(),
                kafka: self.config.kafka.clone(),
                pool: pool.clone(),
                topics: Arc::clone(&self.topics),
                wake: wake.clone(),
                metrics: self.metrics.outbox(&outbox.name),
                status: self.status.outbox(&outbox.name),
            };
            let (stop, metrics) = (stop.clone(), self.metrics.clone());
            parts.spawn(async move {
                let component = format!("outbox/{}", relay.config.name);
                let waiting = |what: String| relay.status.waiting(&what);
                keep_going(&component, &stop, &metrics, waiting, || relay.run(&stop)).await;
            });
        }
        for inbox in self.config.stored_inboxes() {
            let wakes = self.wakes.clone();
            let relay = InboxRelay {
                config: inbox.clone(),
                kafka: self.config.kafka.clone(),
                pool: pool.clone(),
                topics: Arc::clone(&self.topics),
                http: self.http.clone(),
                // What an application applies, it mostly answers through its outbox.
                applied: Arc::new(move || wakes.iter().for_each(Wake::poke)),
                metrics: self.metrics.inbox(&inbox.name),
                status: self.status.inbox(&inbox.name),
            };
            let (stop, metrics) = (stop.clone(), self.metrics.clone());
            parts.spawn(async move {
                let component = format!("inbox/{}", relay.config.name);
                let waiting = |what: String| {
                    relay.status.waiting(&what);
                };
                keep_going(&component, &stop, &metrics, waiting, || relay.run(&stop)).await;
            });
        }
        if let Some(database) = self.config.database.clone().filter(|database| database.listen)
            && !self.config.outboxes.is_empty()
        {
            let poked = self.config.outboxes.iter().zip(&self.wakes).map(|(outbox, wake)| Poked {
                outbox: outbox.name.clone(),
                buckets: outbox.buckets,
                wake: wake.clone(),
                status: self.status.outbox(&outbox.name),
            });
            let neighbours = Neighbours::new(poked.collect());
            let (pool, stop) = (pool.clone(), stop.clone());
            parts.spawn(async move { neighbours.run(&pool, &database, &stop).await });
        }
        let (watched, config) = (pool.clone(), self.config.horizon);
        let (metrics, status, stop_watch) =
            (self.metrics.clone(), self.status.clone(), stop.clone());
        parts.spawn(async move {
            let run = || horizon::watch(&watched, config, &metrics, &status, &stop_watch);
            // Nothing waits for it: what is wrong is told by the log and the metrics.
            keep_going("horizon", &stop_watch, &metrics, |_| {}, run).await;
        });
        if let Some(forwarder) =
            Forwarder::new(&self.config, pool.clone(), Arc::clone(&self.topics))
        {
            let (stop, metrics) = (stop.clone(), self.metrics.clone());
            parts.spawn(async move {
                let run = || forwarder.run(&stop);
                keep_going("dead-letters", &stop, &metrics, |_| {}, run).await;
            });
        }
        let config = self.config.clone();
        parts.spawn(upkeep::run(pool.clone(), config, self.metrics.clone(), stop.clone()));
    }

    fn start_broadcasts(&self, parts: &mut JoinSet<()>, stop: &CancellationToken) {
        for inbox in &self.config.inboxes {
            let Inbox::Broadcast(config) = inbox else { continue };
            let feed = BroadcastRelay::new(
                config.clone(),
                self.config.kafka.clone(),
                Arc::clone(&self.topics),
                &self.http,
                self.metrics.inbox(&config.name),
                self.status.inbox(&config.name),
            );
            let (stop, metrics) = (stop.clone(), self.metrics.clone());
            let (component, status) =
                (format!("inbox/{}", config.name), self.status.inbox(&config.name));
            parts.spawn(async move {
                let waiting = |what: String| {
                    status.waiting(&what);
                };
                keep_going(&component, &stop, &metrics, waiting, || feed.run(&stop)).await;
            });
        }
    }
}

/// Runs a part until it ends well or a stop is asked for, waiting a little
/// longer after each failure.
async fn keep_going<F: Future<Output = Result<(), Error>>>(
    component: &str,
    stop: &CancellationToken,
    metrics: &Metrics,
    waiting: impl Fn(String),
    run: impl Fn() -> F,
) {
    let mut failures = 0_u32;
    let mut last_problem = String::new();
    loop {
        let started = tokio::time::Instant::now();
        let outcome = tokio::select! {
            outcome = run() => outcome,
            // A part that heeds the stop itself gets time to; this ends one that cannot.
            () = async { stop.cancelled().await; sleep(SHUTDOWN_TIMEOUT).await } => return,
        };
        let error = match outcome {
            Ok(()) => return,
            Err(_) if stop.is_cancelled() => return,
            Err(error) => error,
        };
        if started.elapsed() > HEALTHY_AFTER {
            failures = 0;
            last_problem.clear();
        }
        failures = failures.saturating_add(1);
        let problem = chain(&error);
        metrics.error(component, error.class());
        // The same problem again and again is one line, not a thousand.
        if problem == last_problem {
            tracing::debug!(component, class = %error.class(), error = problem, failures, "still failing; trying again");
        } else {
            tracing::warn!(component, class = %error.class(), error = problem, "failed; trying again until it works");
        }
        waiting(problem.clone());
        last_problem = problem;
        let wait = RESTART.delay(failures, Uuid::new_v4().as_u64_pair().0);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}
