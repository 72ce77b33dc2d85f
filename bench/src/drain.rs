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

/// A chunk for which there is memory to spare, in rows and bytes: four times the default.
const LARGE_CHUNK: (u32, u32) = (40_000, 16 * 1024 * 1024);

/// Fills one table, and in turns has it read by the pipe and by relays that were never there.
///
/// # Errors
/// Something does not work at all; what is only wrong is in the report.
pub async fn run(stack: &Stack, drain: Drain, report: &mut Report) -> anyhow::Result<()> {
    let name = format!("drain {}k × {} B", drain.rows / 1000, drain.payload);
    let database = stack.database("drain").await?;
    let client = database.connect().await?;
    rows::make_table(&client, &relay::configuration(stack.kafka(), &Setup::new("any", "any"))?)
        .await?;
    println!("{name}: writing {} rows, one per transaction", drain.rows);
    rows::fill(&database, drain.rows, drain.payload).await?;
    let total = u64::from(drain.rows);
    for run in 1..=drain.runs {
        println!("{name}: run {run} of {}", drain.runs);
        let topic = stack.kafka().topic("pipe", PARTITIONS).await?;
        let rate = pipe::drain(&client, stack.kafka(), &topic).await?;
        let found = topic::checked(stack.kafka(), &topic, total, KEYS).await?;
        report.add(&name, "pipe", "rows/s", rate).checked(found);
        for (subject, label, delivery, chunk, relays) in [
            ("relay, idempotent", "idempotent", "idempotent", None, 1),
            ("relay, transactional", "transactional", "transactional", None, 1),
            ("  in chunks of 16 MiB", "large", "transactional", Some(LARGE_CHUNK), 1),
            ("3 relays, idempotent", "several", "idempotent", None, 3),
        ] {
            let topic = stack.kafka().topic("drain", PARTITIONS).await?;
            let setup = Setup { delivery, chunk, ..Setup::new(format!("{label}-{run}"), topic) };
            let figures = Drained { workload: &name, subject, rows: total, beside: "pipe" };
            figures.measure(stack, &database, &setup, relays, report).await?;
        }
    }
    let dead = rows::dead_tuples(&client).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    report.add(&name, "dead tuples in the outbox", "rows", dead as f64);
    Ok(())
}

/// A backlog beside a tenth of it: whether a row costs more where there are many.
///
/// # Errors
/// As of [`run`].
pub async fn growth(
    stack: &Stack,
    rows: u32,
    runs: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("growth to {}k", rows / 1000);
    let subject = |rows: u32| format!("relay, {}k rows", rows / 1000);
    let few = subject(rows / 10);
    let mut backlogs = Vec::new();
    for rows in [rows / 10, rows] {
        let database = stack.database("growth").await?;
        let client = database.connect().await?;
        let setup = Setup::new("any", "any");
        rows::make_table(&client, &relay::configuration(stack.kafka(), &setup)?).await?;
        println!("{name}: writing {rows} rows, one per transaction");
        rows::fill(&database, rows, 200).await?;
        backlogs.push((rows, subject(rows), database));
    }
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        for (rows, subject, database) in &backlogs {
            let topic = stack.kafka().topic("growth", PARTITIONS).await?;
            let setup = Setup::new(format!("growth-{run}"), topic);
            let figures = Drained { workload: &name, subject, rows: (*rows).into(), beside: &few };
            figures.measure(stack, database, &setup, 1, report).await?;
        }
    }
    Ok(())
}

/// Where the figures of a drained backlog go.
#[derive(Clone, Copy, Debug)]
pub struct Drained<'a> {
    /// The workload.
    pub workload: &'a str,
    /// Who drains it.
    pub subject: &'a str,
    /// Its rows.
    pub rows: u64,
    /// Whom the rate is compared with.
    pub beside: &'a str,
}

impl Drained<'_> {
    /// So many relays drain the table; their rate, and the work and memory of one that is
    /// alone, go into the report.
    ///
    /// # Errors
    /// They do not get through.
    pub async fn measure(
        self,
        stack: &Stack,
        database: &TestDatabase,
        setup: &Setup,
        relays: usize,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let Self { workload, subject, rows, beside } = self;
        let mut running = Vec::new();
        for _ in 0..relays {
            // Each has a port of its own.
            let config = relay::configuration(stack.kafka(), setup)?;
            running.push(Relay::start(&config, database.url()).await?);
        }
        let rate = relay::drained(&running, rows)
            .await
            .with_context(|| format!("{workload}, {subject}"))?;
        let mut seconds = 0.0;
        for relay in &running {
            seconds += relay.processor_seconds()?;
        }
        let memory = running.first().map(Relay::memory).unwrap_or_default();
        for relay in &running {
            relay.stop().await?;
        }
        let found = topic::checked(stack.kafka(), &setup.topic, rows, KEYS).await?;
        report.add(workload, subject, "rows/s", rate).beside(beside).checked(found);
        if relays > 1 {
            return Ok(());
        }
        let peak = memory.iter().map(|sample| sample.resident).max().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (rows, peak) = (rows as f64, peak as f64);
        report.add(workload, subject, "CPU µs/row", seconds * 1e6 / rows);
        report.add(workload, subject, "MiB peak", peak / MIB);
        if report.memory.is_empty() {
            report.memory = memory;
        }
        Ok(())
    }
}
