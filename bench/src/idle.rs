//! What a relay costs while there is nothing to do.

use std::time::Duration;

use anyhow::Context as _;

use crate::{
    drain::MIB,
    relay::{self, Relay, Setup},
    report::Report,
    rows,
    stack::Stack,
};

const WORKLOAD: &str = "idle";

/// After its start.
const SETTLE: Duration = Duration::from_secs(5);

/// Watches a relay that has an empty outbox, for so long.
///
/// # Errors
/// It does not run.
pub async fn run(stack: &Stack, time: Duration, report: &mut Report) -> anyhow::Result<()> {
    println!("{WORKLOAD}: watching for {time:?}");
    let topic = stack.kafka().topic("idle", 6).await?;
    let config = relay::configuration(stack.kafka(), &Setup::new("idle", topic))?;
    let database = stack.database("idle").await?;
    rows::make_table(&database.connect().await?, &config).await?;
    let relay = Relay::start(&config, database.url()).await?;
    tokio::time::sleep(SETTLE).await;
    // From another database, whose transactions are not counted.
    let watcher = stack.admin().await?;
    let count = || async {
        let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
        let row = watcher.query_one(sql, &[&database.name()]).await;
        row.map(|row| row.get::<_, i64>(0)).context("counting transactions")
    };
    let (before, work) = (count().await?, relay.processor_seconds()?);
    tokio::time::sleep(time).await;
    let (after, seconds) = (count().await?, relay.processor_seconds()? - work);
    let resident = relay.memory().last().map(|sample| sample.resident).unwrap_or_default();
    relay.stop().await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (transactions, resident) = ((after - before) as f64, resident as f64);
    report.add(WORKLOAD, "relay", "transactions/s", transactions / time.as_secs_f64());
    report.add(WORKLOAD, "relay", "% of a core", seconds / time.as_secs_f64() * 100.0);
    report.add(WORKLOAD, "relay", "MiB", resident / MIB);
    Ok(())
}
