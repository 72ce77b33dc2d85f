#![allow(clippy::print_stdout, reason = "this is a command line")]
//! Places many orders at a running shop and audits the books.

use std::{process::ExitCode, time::Duration};

use clap::Parser;
use rust_decimal::Decimal;
use shop_tests::{audit::audit, burst::Burst, client::Client};
use tokio::time::Instant;

/// Place many orders at a running shop, wait until all are final, and check that
/// deposits equal balances plus payments to the last decimal.
#[derive(Parser)]
#[command(name = "burst")]
struct Arguments {
    /// The gateway.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    gateway: String,
    /// Orders in all.
    #[arg(long, default_value_t = 5_000)]
    orders: usize,
    /// Users they are spread over.
    #[arg(long, default_value_t = 500)]
    users: usize,
    /// Requests under way at a time.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Orders placed one at a time first, each waited for, to measure the time
    /// from POST to FINISHED.
    #[arg(long, default_value_t = 50)]
    single: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    anyhow::ensure!(
        arguments.users > 0 && arguments.connections > 0,
        "--users and --connections must be at least 1"
    );
    let client = Client::new(arguments.gateway)?;
    if arguments.single > 0 {
        one_at_a_time(&client, arguments.single).await?;
    }
    let burst = Burst {
        orders: arguments.orders,
        users: arguments.users,
        connections: arguments.connections,
    };
    println!(
        "{} orders of {} users with {} connections: opening the accounts",
        burst.orders, burst.users, burst.connections
    );
    let placed = burst.prepare(&client).await?.run(Duration::from_secs(300)).await?;
    let audit = audit(&client, &placed).await?;
    let count = placed.orders.len() as f64;
    println!(
        "posted:    {:.2} s, {:.0} orders/s",
        placed.posting.as_secs_f64(),
        count / placed.posting.as_secs_f64()
    );
    println!(
        "all final: {:.2} s, {:.0} orders/s",
        placed.settling.as_secs_f64(),
        count / placed.settling.as_secs_f64()
    );
    println!("finished {}, cancelled {}", audit.finished, audit.cancelled);
    println!(
        "deposits {} = balances {} + payments {}",
        audit.deposits, audit.balances, audit.payments
    );
    println!("violations: {}", audit.violations.len());
    for violation in audit.violations.iter().take(20) {
        println!("  {violation}");
    }
    Ok(if audit.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn one_at_a_time(client: &Client, count: usize) -> anyhow::Result<()> {
    let prepared = Burst { orders: 0, users: 1, connections: 1 }.prepare(client).await?;
    let user = prepared.run(Duration::from_secs(1)).await?.deposits[0].0;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let order = client.place_order(user, Decimal::new(1, 2)).await?;
        client.settled(order.id, Duration::from_secs(60), Duration::from_millis(1)).await?;
        times.push(started.elapsed());
    }
    times.sort();
    let at =
        |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1_000.0;
    println!(
        "one at a time, POST to FINISHED, {count} orders: median {:.1} ms, p90 {:.1} ms, max {:.1} ms",
        at(0.5),
        at(0.9),
        at(1.0)
    );
    Ok(())
}
