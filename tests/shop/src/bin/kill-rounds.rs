#![allow(clippy::print_stdout, reason = "this is a command line")]
//! Kills one process after the other in the middle of bursts, and audits the
//! books after each.

use std::process::ExitCode;

use clap::Parser;
use shop_tests::{
    burst::Burst,
    kill::{VICTIMS, round},
};
use test_support::shop::{Shop, ShopOptions};

/// Start a shop of its own on free ports; in each round place a burst of orders,
/// `kill -9` one process in the middle of it, start it again, wait until every
/// order is final, and check that none is lost, stuck or paid twice.
#[derive(Parser)]
#[command(name = "kill-rounds")]
struct Arguments {
    /// How many rounds; each kills the next process of the list.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Orders in a round.
    #[arg(long, default_value_t = 600)]
    orders: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    println!("starting a shop with a PostgreSQL and a Kafka of its own");
    let shop = Shop::start(ShopOptions::default()).await?;
    let burst = Burst { orders: arguments.orders, users: 60, connections: 16 };
    let mut violations = 0;
    for number in 0..arguments.rounds {
        let victim = VICTIMS[number % VICTIMS.len()];
        // A different moment each time: after a sixth of the orders, a third, …
        let at = arguments.orders * (number % 5 + 1) / 6;
        let audit = round(&shop, burst, victim, at).await?;
        println!(
            "round {:2}: killed {victim} after {at} orders: {} finished, {} cancelled, {} violations",
            number + 1,
            audit.finished,
            audit.cancelled,
            audit.violations.len()
        );
        for violation in audit.violations.iter().take(20) {
            println!("  {violation}");
        }
        violations += audit.violations.len();
    }
    shop.stop().await;
    println!("{} rounds, {violations} violations", arguments.rounds);
    Ok(if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
