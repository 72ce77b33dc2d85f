//! A backlog that is published as fast as possible.

use anyhow::Context as _;
use test_support::postgres::TestDatabase;

use crate::{
    pipe,
    relay::{self, Relay, Setup},
    report::Report,
    rows::{self, KEYS},
    stack::Stack,
    topic,
};

const PARTITIONS: i32 = 6;

/// Bytes of a MiB.
pub const MIB: f64 = 1024.0 * 1024.0;

/// What is drained.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Rows of the backlog.
    pub rows: u32,
    /// Bytes of each payload.
    pub payload: u32,
    /// How often.
    pub runs: usize,
}

/// Fills one table, and in turns has it read by the pipe and by relays that were never there.
///
/// # Errors
/// Something does not work at all; what is only wrong is in the report.
pub async fn run(stack: &Stack, drain: Drain, report: &mut Report) -> anyhow::Result<()> {
    let name = format!("drain {}k × {} B", drain.rows / 1000, drain.payload);
    let database = stack.database("drain").await?;
    let client = database.connect().await?;
    let setup = |outbox: String, topic: String, delivery| Setup { outbox, topic, delivery };
    let any = setup("any".to_owned(), "any".to_owned(), "idempotent");
    rows::make_table(&client, &relay::configuration(stack.kafka(), &any)?).await?;
    println!("{name}: writing {} rows, one per transaction", drain.rows);
    rows::fill(&database, drain.rows, drain.payload).await?;
    let total = u64::from(drain.rows);
    for run in 1..=drain.runs {
        println!("{name}: run {run} of {}", drain.runs);
        let topic = stack.kafka().topic("pipe", PARTITIONS).await?;
        let rate = pipe::drain(&client, stack.kafka(), &topic).await?;
        let found = topic::checked(stack.kafka(), &topic, total, KEYS).await?;
        report.add(&name, "pipe", "rows/s", rate).checked(found);
        for delivery in ["idempotent", "transactional"] {
            let topic = stack.kafka().topic("drain", PARTITIONS).await?;
            let setup = setup(format!("{delivery}-{run}"), topic, delivery);
            relay_run(stack, &database, &name, &setup, total, report).await?;
        }
    }
    let dead = rows::dead_tuples(&client).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    report.add(&name, "dead tuples in the outbox", "rows", dead as f64);
    Ok(())
}

/// One relay drains the table; its rate, work and memory go into the report.
async fn relay_run(
    stack: &Stack,
    database: &TestDatabase,
    workload: &str,
    setup: &Setup,
    rows: u64,
    report: &mut Report,
) -> anyhow::Result<()> {
    let config = relay::configuration(stack.kafka(), setup)?;
    let relay = Relay::start(&config, database.url()).await?;
    let rate =
        relay.drained(rows).await.with_context(|| format!("{workload}, {}", setup.delivery))?;
    let seconds = relay.processor_seconds()?;
    let memory = relay.memory();
    relay.stop().await?;
    let found = topic::checked(stack.kafka(), &setup.topic, rows, KEYS).await?;
    let subject = format!("relay, {}", setup.delivery);
    report.add(workload, &subject, "rows/s", rate).beside("pipe").checked(found);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (rows, peak) =
        (rows as f64, memory.iter().map(|sample| sample.resident).max().unwrap_or_default() as f64);
    report.add(workload, &subject, "CPU µs/row", seconds * 1e6 / rows);
    report.add(workload, &subject, "MiB peak", peak / MIB);
    if report.memory.is_empty() {
        report.memory = memory;
    }
    Ok(())
}
