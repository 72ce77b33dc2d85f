//! A steady stream of rows, alone and beside a transaction that is held open.

use anyhow::Context as _;
use kit::wake::Wake;
use test_support::postgres::TestDatabase;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::{
    latency::{self, PERCENTILES, Pace, Stopwatch, percentile},
    relay::{self, Relay, Setup},
    report::Report,
    rows,
    stack::Stack,
    topic::{self, Correctness},
};

const PARTITIONS: i32 = 6;

/// Keys of a steady stream: one per writer.
const KEYS: u32 = 4;

/// Rates of direct producing, of the relay, and of the relay while a transaction is held.
///
/// # Errors
/// Something does not work at all; what is only wrong is in the report.
pub async fn run(
    stack: &Stack,
    pace: Pace,
    runs: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("{} rows/s for {:?}", pace.rate, pace.time);
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        let topic = stack.kafka().topic("direct", PARTITIONS).await?;
        let stopwatch = Stopwatch::start(stack.kafka(), &topic, pace)?;
        latency::produce(stack.kafka(), &topic, pace).await?;
        let millis = stopwatch.millis().await?;
        let found = topic::checked(stack.kafka(), &topic, pace.rows(), KEYS).await?;
        add(report, &name, "direct produce", &millis, None, found);
        for held in [false, true] {
            let subject = if held { "relay, transaction held" } else { "relay" };
            let beside = if held { "relay" } else { "direct produce" };
            let Relayed { commits, millis, found } = relayed(stack, pace, held).await?;
            add(report, &name, subject, &millis, Some(beside), found);
            if !held {
                for (unit, hundredths) in PERCENTILES {
                    report.add(
                        &name,
                        "commits of its writers",
                        unit,
                        percentile(&commits, hundredths),
                    );
                }
            }
        }
    }
    Ok(())
}

/// Sorted milliseconds.
struct Relayed {
    /// Of the writers' commits, a part of the others.
    commits: Vec<f64>,
    /// From before the commit to the consumer.
    millis: Vec<f64>,
    found: Correctness,
}

async fn relayed(stack: &Stack, pace: Pace, held: bool) -> anyhow::Result<Relayed> {
    let topic = stack.kafka().topic("steady", PARTITIONS).await?;
    let setup = Setup::new("steady", topic);
    let config = relay::configuration(stack.kafka(), &setup)?;
    let database = stack.database("steady").await?;
    rows::make_table(&database.connect().await?, &config).await?;
    let relay = Relay::start(&config, database.url()).await?;
    let holder = if held { Some(hold(&database).await?) } else { None };
    let stopwatch = Stopwatch::start(stack.kafka(), &setup.topic, pace)?;
    let stop = CancellationToken::new();
    let address = relay.admin().parse().map_err(anyhow::Error::msg)?;
    let wake = Wake::start(Some(&address), stop.clone())?;
    let commits = latency::write(&database, &wake, pace).await?;
    let millis = stopwatch.millis().await?;
    stop.cancel();
    drop(holder);
    relay.stop().await?;
    let found = topic::checked(stack.kafka(), &setup.topic, pace.rows(), KEYS).await?;
    Ok(Relayed { commits, millis, found })
}

/// A backlog written and drained while a transaction is held that began before it, and without.
///
/// # Errors
/// As [`run`].
pub async fn backlog(
    stack: &Stack,
    rows: u32,
    runs: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("held, drain {}k", rows / 1000);
    for run in 1..=runs {
        println!("{name}: run {run} of {runs}");
        for held in [false, true] {
            let topic = stack.kafka().topic("held", PARTITIONS).await?;
            let setup = Setup::new("held", topic);
            let config = relay::configuration(stack.kafka(), &setup)?;
            let database = stack.database("held").await?;
            rows::make_table(&database.connect().await?, &config).await?;
            let holder = if held { Some(hold(&database).await?) } else { None };
            rows::fill(&database, rows, 200).await?;
            let relay = Relay::start(&config, database.url()).await?;
            let rate = relay::drained(std::slice::from_ref(&relay), rows.into()).await?;
            drop(holder);
            relay.stop().await?;
            let found =
                topic::checked(stack.kafka(), &setup.topic, rows.into(), rows::KEYS).await?;
            let subject = if held { "relay, transaction held" } else { "relay" };
            let figure = report.add(&name, subject, "rows/s", rate).checked(found);
            if held {
                figure.beside("relay");
            }
        }
    }
    Ok(())
}

/// A transaction that has written, and does not end before the client is dropped.
async fn hold(database: &TestDatabase) -> anyhow::Result<Client> {
    let client = database.connect().await?;
    let sql = "CREATE TABLE elsewhere (n int); BEGIN; INSERT INTO elsewhere VALUES (1)";
    client.batch_execute(sql).await.context("holding a transaction open")?;
    Ok(client)
}

fn add(
    report: &mut Report,
    workload: &str,
    subject: &str,
    millis: &[f64],
    beside: Option<&str>,
    found: Correctness,
) {
    for (unit, hundredths) in PERCENTILES {
        let figure = report.add(workload, subject, unit, percentile(millis, hundredths));
        if let Some(beside) = beside {
            figure.beside(beside);
        }
        if hundredths == 50 {
            figure.checked(found);
        }
    }
}
