//! A service with an inbox: three lines of SQL apply an event. A process of its own, since it has
//! to crash, and told over HTTP how to fail.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use deadpool_postgres::{ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use serde::{Deserialize, Serialize};
use tokio_postgres::NoTls;
use uuid::Uuid;

/// How the application fails from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Not at all.
    #[default]
    None,
    /// So many milliseconds are lost with each event.
    Slow(u64),
    /// The process ends with the next event applied and not committed.
    EndBeforeCommit,
    /// The process ends with the next event committed and not answered for.
    EndAfterCommit,
}

/// More requests than this do not come: four at a time from each relay.
const MAXIMUM_CONNECTIONS: usize = 24;

/// How long the database may take for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a process that ends on demand exits with.
const EXIT_CODE: i32 = 70;

#[derive(Clone)]
struct Service {
    pool: Pool,
    failure: Arc<Switch>,
}

/// The [`Failure`] as one number, which all requests look at.
#[derive(Default)]
struct Switch(AtomicU64);

impl Switch {
    const BEFORE_COMMIT: u64 = u64::MAX;
    const AFTER_COMMIT: u64 = u64::MAX - 1;

    fn set(&self, failure: Failure) {
        let number = match failure {
            Failure::None => 0,
            Failure::Slow(millis) => millis,
            Failure::EndBeforeCommit => Self::BEFORE_COMMIT,
            Failure::EndAfterCommit => Self::AFTER_COMMIT,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    fn get(&self) -> Failure {
        match self.0.load(Ordering::Relaxed) {
            0 => Failure::None,
            Self::BEFORE_COMMIT => Failure::EndBeforeCommit,
            Self::AFTER_COMMIT => Failure::EndAfterCommit,
            millis => Failure::Slow(millis),
        }
    }
}

#[derive(Deserialize)]
struct Event {
    id: Uuid,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    reject: bool,
}

#[derive(Serialize)]
struct Results {
    results: Vec<EventResult>,
}

#[derive(Serialize)]
struct EventResult {
    id: Uuid,
    status: &'static str,
    reason: &'static str,
}

/// Serves `POST /inbox` for the sidecars, and `POST /failure` for the one who tests them, until
/// the process ends.
///
/// # Errors
/// The address is taken, or the URL is none.
pub async fn serve(listen: SocketAddr, database_url: &str) -> anyhow::Result<()> {
    let database: tokio_postgres::Config =
        database_url.parse().context("the database URL is not valid")?;
    let manager = deadpool_postgres::Manager::from_config(
        database,
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let pool = Pool::builder(manager)
        .max_size(MAXIMUM_CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(CONNECT_TIMEOUT),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        })
        .build()?;
    let router = Router::new()
        .route("/inbox", post(receive))
        .route("/failure", post(fail))
        .route("/readyz", get(|| async {}))
        .with_state(Service { pool, failure: Arc::default() });
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    axum::serve(listener, router).await.context("cannot serve")
}

async fn fail(State(service): State<Service>, Json(failure): Json<Failure>) {
    service.failure.set(failure);
}

async fn receive(State(service): State<Service>, Json(events): Json<Vec<Event>>) -> Json<Results> {
    let mut results = Vec::with_capacity(events.len());
    for event in events {
        if let Failure::Slow(millis) = service.failure.get() {
            tokio::time::sleep(Duration::from_millis(millis)).await;
        }
        let (status, reason) = if event.data.reject {
            ("rejected", "the event asks for it")
        } else {
            match service.apply(event.id).await {
                Ok(true) => ("applied", ""),
                Ok(false) => ("duplicate", ""),
                // The database is away, or the outcome of the commit unknown: no result for this
                // one, nor for those after it.
                Err(_) => break,
            }
        };
        results.push(EventResult { id: event.id, status, reason });
    }
    Json(Results { results })
}

impl Service {
    /// The contract: the mark and the effect in one transaction. `false` if it was applied before.
    async fn apply(&self, id: Uuid) -> anyhow::Result<bool> {
        let mut client = self.pool.get().await?;
        let transaction = client.transaction().await?;
        let marked = transaction
            .execute(
                "UPDATE inbox SET processed_at = clock_timestamp(), attempts = attempts + 1
                 WHERE message_id = $1 AND coalesce(processed_at, dead_at) IS NULL",
                &[&id],
            )
            .await?;
        if marked == 0 {
            transaction.rollback().await?;
            return Ok(false);
        }
        transaction.execute("INSERT INTO effect (message_id) VALUES ($1)", &[&id]).await?;
        self.end_if(Failure::EndBeforeCommit);
        transaction.commit().await?;
        self.end_if(Failure::EndAfterCommit);
        Ok(true)
    }

    fn end_if(&self, at: Failure) {
        if self.failure.get() == at {
            std::process::exit(EXIT_CODE);
        }
    }
}
