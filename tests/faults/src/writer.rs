//! Transactions that write events. Writers of a key take turns on the row of its entity, and each
//! event is noted in the ledger by the transaction that writes it.

mod plan;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use test_support::postgres::TestDatabase;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_postgres::{Client, Transaction};
use tokio_util::sync::CancellationToken;

use crate::audit::Fate;
pub use plan::{End, Event, Plan, Poison, Step, key_name};

/// Between attempts while the database is away.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// What the writers did, as far as they know: a commit may have succeeded unheard.
#[derive(Debug, Default)]
pub struct Tally {
    /// Transactions that were committed.
    pub committed: AtomicUsize,
    /// Transactions that were rolled back on purpose.
    pub rolled_back: AtomicUsize,
    /// Transactions of unknown outcome, as the database went away.
    pub broken: AtomicUsize,
}

/// One of the writers.
pub struct Writer {
    /// Its database, reached without a proxy: its transactions are the load.
    pub database: Arc<TestDatabase>,
    /// What it draws its transactions from.
    pub rng: Rng,
    /// How many keys there are.
    pub keys: usize,
    /// The time from the begin of one transaction to that of the next, at least.
    pub interval: Duration,
    /// Where it counts.
    pub tally: Arc<Tally>,
}

impl Writer {
    /// Writes until told to stop. A transaction under way is finished.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut client = None;
        while !stop.is_cancelled() {
            let next = Instant::now() + self.interval;
            let plan = Plan::draw(&mut self.rng, self.keys);
            let counter = match written(&self.database, &mut client, &plan).await {
                Ok(()) if plan.end == End::RollBack => &self.tally.rolled_back,
                Ok(()) => &self.tally.committed,
                Err(_) => {
                    // A new connection for the next one: this one may be gone.
                    client = None;
                    sleep(RECONNECT_PAUSE).await;
                    &self.tally.broken
                }
            };
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::select! {
                () = sleep_until(next) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Carries out one transaction over a connection that is made when there is none.
///
/// # Errors
/// The database is away, or went away in the middle: then it may have committed or not.
pub async fn written(
    database: &TestDatabase,
    client: &mut Option<Client>,
    plan: &Plan,
) -> anyhow::Result<()> {
    let client = match client {
        Some(client) => client,
        None => client.insert(database.connect().await?),
    };
    let mut transaction = client.transaction().await?;
    for step in &plan.steps {
        match step {
            Step::TakeId => {
                transaction.execute("SELECT pg_current_xact_id()", &[]).await?;
            }
            Step::Wait(time) => sleep(*time).await,
            Step::Write(event) => write(&transaction, event).await?,
            Step::Savepoint { events, keep } => {
                let savepoint = transaction.savepoint("part").await?;
                for event in events {
                    write(&savepoint, event).await?;
                }
                if *keep {
                    savepoint.commit().await?;
                } else {
                    savepoint.rollback().await?;
                }
            }
        }
    }
    match plan.end {
        End::Commit => transaction.commit().await?,
        End::RollBack => transaction.rollback().await?,
    }
    Ok(())
}

/// Takes the key's lock, which is its turn and its next number, and writes event and ledger.
async fn write(transaction: &Transaction<'_>, event: &Event) -> anyhow::Result<()> {
    let row = transaction
        .query_one(
            "UPDATE entity SET number = number + 1 WHERE key = $1 RETURNING number",
            &[&event.key],
        )
        .await?;
    let number: i64 = row.get(0);
    let (payload, headers) = (event.payload(number), event.headers());
    transaction
        .execute(
            "INSERT INTO outbox (id, aggregate_id, payload, headers) VALUES ($1, $2, $3, $4)",
            &[&event.id, &event.key, &payload, &headers],
        )
        .await?;
    transaction
        .execute(
            "INSERT INTO ledger (id, key, number, fate) VALUES ($1, $2, $3, $4)",
            &[&event.id, &event.key, &number, &fate_text(event.fate())],
        )
        .await?;
    Ok(())
}

/// As the ledger's table has it.
pub fn fate_text(fate: Fate) -> &'static str {
    match fate {
        Fate::Applied => "applied",
        Fate::Unpublishable => "unpublishable",
        Fate::Rejected => "rejected",
    }
}
