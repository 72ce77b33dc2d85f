//! What a relay costs while there is nothing to do.

use std::time::Duration;

use anyhow::Context as _;
use outbox_sidecar_core::ddl;
use tokio_postgres::Client;

use crate::{
    drain::MIB,
    relay::{self, Relay, Setup},
    report::Report,
    rows,
    stack::Stack,
};

/// After its start.
const SETTLE: Duration = Duration::from_secs(5);

/// Days of rows that are published and kept.
const DAYS: i32 = 30;

const ROWS_A_DAY: i32 = 10_000;

/// What the relay has that it could look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// An empty table of so many buckets.
    Buckets(u16),
    /// A partition for each of thirty days, full of rows that are published.
    Retained,
}

/// Watches a relay that has nothing to publish, for so long in each case.
///
/// # Errors
/// It does not run.
pub async fn run(
    stack: &Stack,
    cases: &[Idle],
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    for case in cases {
        watch(stack, *case, time, report).await?;
    }
    Ok(())
}

async fn watch(
    stack: &Stack,
    case: Idle,
    time: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (name, buckets) = match case {
        Idle::Buckets(buckets) => (format!("idle, {buckets} buckets"), buckets),
        Idle::Retained => (format!("idle, {DAYS} days retained"), 8),
    };
    println!("{name}: watching for {time:?}");
    let topic = stack.kafka().topic("idle", 6).await?;
    let setup = Setup { buckets, retention: "365d", ..Setup::new("idle", topic) };
    let config = relay::configuration(stack.kafka(), &setup)?;
    let database = stack.database("idle").await?;
    let client = database.connect().await?;
    let retained = case == Idle::Retained;
    if retained {
        let outbox = config.outboxes.first().context("there is no outbox in the configuration")?;
        client.batch_execute(&ddl::outbox(outbox, true)).await.context("making the outbox")?;
        retain(&client).await?;
    } else {
        rows::make_table(&client, &config).await?;
    }
    // What it did is counted when it ends, at the latest.
    drop(client);
    let relay = Relay::start(&config, database.url()).await?;
    if retained {
        let rows = u64::try_from(DAYS * ROWS_A_DAY)?;
        relay::drained(std::slice::from_ref(&relay), rows).await?;
    }
    tokio::time::sleep(SETTLE).await;
    // From another database, whose transactions are not counted.
    let watcher = stack.admin().await?;
    let count = || async {
        let sql = "SELECT xact_commit + xact_rollback, active_time
                   FROM pg_stat_database WHERE datname = $1";
        let row = watcher.query_one(sql, &[&database.name()]).await;
        row.map(|row| (row.get::<_, i64>(0), row.get::<_, f64>(1))).context("counting transactions")
    };
    let (before, work) = (count().await?, relay.processor_seconds()?);
    tokio::time::sleep(time).await;
    let (after, seconds) = (count().await?, relay.processor_seconds()? - work);
    let resident = relay.memory().last().map(|sample| sample.resident).unwrap_or_default();
    relay.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (transactions, resident) = ((after.0 - before.0) as f64, resident as f64);
    for (unit, value) in [
        ("transactions/s", transactions / time.as_secs_f64()),
        ("ms/transaction", (after.1 - before.1) / transactions),
        ("% of a core", seconds / time.as_secs_f64() * 100.0),
        ("MiB", resident / MIB),
    ] {
        report.add(&name, "relay", unit, value);
    }
    Ok(())
}

/// Rows of thirty days, each in its partition. Autovacuum keeps off them, as its transactions
/// would be counted as the relay's.
async fn retain(client: &Client) -> anyhow::Result<()> {
    for day in 0..DAYS {
        let sql = format!(
            "CREATE TABLE outbox_{day} PARTITION OF outbox FOR VALUES
                 FROM (date_trunc('day', now()) - interval '{} days')
                 TO (date_trunc('day', now()) - interval '{day} days')
                 WITH (autovacuum_enabled = off);
             INSERT INTO outbox (aggregate_id, type, payload, created_at)
                 SELECT 'key-' || n % 5000, 'bench.happened', jsonb_build_object('number', n),
                        date_trunc('day', now()) - interval '{day} days' - interval '1 hour'
                 FROM generate_series(1, {ROWS_A_DAY}) AS n;",
            day + 1
        );
        client.batch_execute(&sql).await.context("filling a partition")?;
    }
    client.batch_execute("VACUUM (ANALYZE) outbox").await.context("vacuuming the outbox")
}
