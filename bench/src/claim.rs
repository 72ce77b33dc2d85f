//! A backlog that is published by the `claim` engine, which deletes each row when it is.

use std::time::Instant;

use anyhow::Context as _;
use test_support::postgres::TestDatabase;
use tokio_postgres::Client;

use crate::{
    drain::Drained,
    relay::{self, Setup},
    report::Report,
    rows,
    stack::Stack,
};

const PARTITIONS: i32 = 6;

/// What the relay is compared with.
const BESIDE: &str = "plain DELETE … RETURNING";

/// Takes the first rows by plain SQL, with what is in them.
const PLAIN: &str = "DELETE FROM outbox WHERE id IN (
                         SELECT id FROM outbox ORDER BY position LIMIT 10000)
                     RETURNING id::text, aggregate_id, type, payload";

/// Fills a table, and in turns has it emptied by plain SQL and by a relay.
///
/// # Errors
/// Something does not work at all; what is only wrong is in the report.
pub async fn run(
    stack: &Stack,
    total: u32,
    runs: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("claim {}k", total / 1000);
    let database = stack.database("claim").await?;
    let client = database.connect().await?;
    let setup =
        |outbox: String, topic: String| Setup { engine: "claim", ..Setup::new(outbox, topic) };
    let any = setup("any".to_owned(), "any".to_owned());
    rows::make_table(&client, &relay::configuration(stack.kafka(), &any)?).await?;
    println!("{name}: writing {total} rows");
    rows::fill(&database, total, 200).await?;
    client
        .batch_execute("CREATE TABLE backlog AS TABLE outbox")
        .await
        .context("keeping the backlog")?;
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        refill(&client).await?;
        let rate = plain(&client, total).await?;
        report.add(&name, BESIDE, "rows/s", rate);
        refill(&client).await?;
        let topic = stack.kafka().topic("claim", PARTITIONS).await?;
        let figures = Drained {
            workload: &name,
            subject: "relay, claim",
            rows: total.into(),
            beside: BESIDE,
        };
        let setup = setup(format!("claim-{run}"), topic);
        figures.measure(stack, &database, &setup, 1, report).await?;
        expect_empty(&database).await?;
    }
    Ok(())
}

async fn refill(client: &Client) -> anyhow::Result<()> {
    let sql = "TRUNCATE outbox;
               INSERT INTO outbox (id, aggregate_id, type, payload)
                   SELECT id, aggregate_id, type, payload FROM backlog ORDER BY position;";
    client.batch_execute(sql).await.context("filling the outbox again")?;
    client.batch_execute("VACUUM (ANALYZE) outbox").await.context("vacuuming the outbox")
}

/// Rows a second that plain SQL takes, ten thousand in each transaction.
async fn plain(client: &Client, total: u32) -> anyhow::Result<f64> {
    let statement = client.prepare(PLAIN).await.context("preparing the plain DELETE")?;
    let started = Instant::now();
    let mut taken = 0;
    while taken < total {
        let rows = client.query(&statement, &[]).await.context("taking rows by plain SQL")?;
        anyhow::ensure!(!rows.is_empty(), "only {taken} of {total} rows are there");
        taken += u32::try_from(rows.len())?;
    }
    Ok(f64::from(taken) / started.elapsed().as_secs_f64())
}

async fn expect_empty(database: &TestDatabase) -> anyhow::Result<()> {
    let client = database.connect().await?;
    let left: i64 = client.query_one("SELECT count(*) FROM outbox", &[]).await?.get(0);
    anyhow::ensure!(left == 0, "{left} rows that were published are still in the outbox");
    Ok(())
}
