#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line")]
//! Measures the relay: every figure beside its ceiling from the same run, and beside what the
//! topic holds in the end.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::{Parser, ValueEnum, value_parser};

use bench::{
    claim, drain, drain::Drain, idle, idle::Idle, ingest, latency::Pace, live, orders,
    orders::Orders, report::Report, stack::Stack, steady,
};

/// Measure how fast outbox rows are relayed, and read back whether all of them arrived once and in
/// the order of their keys.
///
/// Starts a PostgreSQL (fsync on) and a Kafka of its own unless they are given. Prints a table,
/// and writes everything as JSON. Exit codes: 0; 1 if a run lost, doubled or disordered rows; 2 if
/// something did not work at all.
#[derive(Parser)]
#[command(name = "bench")]
struct Arguments {
    /// What is measured; all of it unless some is named.
    #[arg(value_enum)]
    workloads: Vec<Workload>,
    /// Less of everything: under three minutes.
    #[arg(long)]
    quick: bool,
    /// Rows of the backlog that is drained. Default: 1000000, and 10000000 of the larger one of
    /// `growth`; with --quick 200000 and 1000000.
    #[arg(long, value_parser = value_parser!(u32).range(10_000..=100_000_000))]
    rows: Option<u32>,
    /// Bytes of the drained payloads; of larger ones than 200 as many fewer. Default: 200,2000;
    /// with --quick 200.
    #[arg(long, value_delimiter = ',', value_parser = value_parser!(u32).range(40..=1_000_000))]
    payloads: Vec<u32>,
    /// How often each is measured, in turns. Default: 3; with --quick 1.
    #[arg(long, value_parser = value_parser!(u8).range(1..=50))]
    runs: Option<u8>,
    /// Seconds that a steady stream lasts. Default: 60; with --quick 10.
    #[arg(long, value_parser = value_parser!(u64).range(1..=3600))]
    seconds: Option<u64>,
    /// Rows a second of the steady streams. Default: 100,500,2000,10000; with --quick 500,2000.
    #[arg(long, value_delimiter = ',', value_parser = value_parser!(u32).range(1..=1_000_000))]
    rates: Vec<u32>,
    /// Live connections. Default: 5000; with --quick 500.
    #[arg(long, value_parser = value_parser!(u32).range(1..=9_000))]
    connections: Option<u32>,
    /// A superuser's URL of the PostgreSQL to use. Databases are made on it, and dropped.
    #[arg(long, env = "BENCH_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// The Kafka to use, host:port. Topics are made on it.
    #[arg(long, env = "BENCH_KAFKA_BOOTSTRAP")]
    kafka: Option<String>,
    /// Where everything goes as JSON.
    #[arg(long, default_value = "target/bench.json")]
    json: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// A backlog, as fast as possible.
    Drain,
    /// A backlog beside one ten times as large.
    Growth,
    /// A backlog by the engine that deletes what is published.
    Claim,
    /// Messages into an inbox and on to an application, as fast as possible.
    Ingest,
    /// From writer to consumer at a steady rate, alone and beside a held transaction.
    Latency,
    /// A backlog behind a held transaction.
    Held,
    /// Nothing to do: by the number of buckets, and beside many rows that are published.
    Idle,
    /// Orders at the whole shop: one at a time, and as many as it takes.
    Orders,
    /// Browsers of one user: the memory of each, and how soon all are told.
    Live,
}

impl Arguments {
    fn wants(&self, workload: Workload) -> bool {
        self.workloads.is_empty() || self.workloads.contains(&workload)
    }

    async fn measure(&self) -> anyhow::Result<Report> {
        let stack = Stack::new(self.postgres.as_deref(), self.kafka.as_deref()).await?;
        let mut report =
            Report { settings: stack.settings().await?, figures: Vec::new(), memory: Vec::new() };
        let choose = |full: u32, quick: u32| if self.quick { quick } else { full };
        let runs = usize::from(self.runs.unwrap_or(if self.quick { 1 } else { 3 }));
        let time = Duration::from_secs(self.seconds.unwrap_or(choose(60, 10).into()));
        if self.wants(Workload::Drain) {
            let rows = self.rows.unwrap_or(choose(1_000_000, 200_000));
            let defaults: &[u32] = if self.quick { &[200] } else { &[200, 2_000] };
            let given = self.payloads.as_slice();
            for payload in if given.is_empty() { defaults } else { given } {
                let rows = rows / (payload / 200).max(1);
                let drain = Drain { rows, payload: *payload, runs };
                drain::run(&stack, drain, &mut report).await?;
            }
        }
        if self.wants(Workload::Growth) {
            let rows = self.rows.unwrap_or(choose(10_000_000, 1_000_000));
            drain::growth(&stack, rows, runs, &mut report).await?;
        }
        if self.wants(Workload::Claim) {
            claim::run(&stack, choose(500_000, 100_000), runs, &mut report).await?;
        }
        if self.wants(Workload::Ingest) {
            ingest::run(&stack, choose(200_000, 50_000), runs, &mut report).await?;
        }
        if self.wants(Workload::Held) {
            steady::backlog(&stack, choose(300_000, 100_000), runs, &mut report).await?;
        }
        if self.wants(Workload::Latency) {
            let defaults: &[u32] =
                if self.quick { &[500, 2_000] } else { &[100, 500, 2_000, 10_000] };
            let given = self.rates.as_slice();
            for rate in if given.is_empty() { defaults } else { given } {
                let pace = Pace { rate: *rate, time, payload: 200 };
                steady::run(&stack, pace, runs, &mut report).await?;
            }
        }
        if self.wants(Workload::Idle) {
            let all = [Idle::Buckets(8), Idle::Buckets(1), Idle::Buckets(64), Idle::Retained];
            let cases = if self.quick { &all[..1] } else { &all };
            idle::run(&stack, cases, time, &mut report).await?;
        }
        if self.wants(Workload::Orders) {
            let single = usize::try_from(choose(200, 50))?;
            let burst = usize::try_from(choose(20_000, 3_000))?;
            orders::run(&stack, Orders { single, burst, runs }, &mut report).await?;
        }
        if self.wants(Workload::Live) {
            let connections = usize::try_from(self.connections.unwrap_or(choose(5_000, 500)))?;
            live::run(&stack, connections, usize::try_from(choose(20, 5))?, &mut report).await?;
        }
        Ok(report)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measured(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn measured(arguments: &Arguments) -> anyhow::Result<bool> {
    let report = arguments.measure().await?;
    println!("\n{report}");
    if let Some(folder) = arguments.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&arguments.json, serde_json::to_vec_pretty(&report)?)
        .with_context(|| format!("writing {}", arguments.json.display()))?;
    println!("everything as JSON: {}", arguments.json.display());
    Ok(report.is_correct())
}
