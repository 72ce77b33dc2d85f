//! Browsers that are told of orders: what a connection costs, and how soon all of many know.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use rust_decimal::Decimal;
use shop_tests::{client::Client, live::Listener};
use test_support::demo_token;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    latency::{PERCENTILES, percentile},
    memory::resident,
    orders,
    report::Report,
    stack::Stack,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Connections that are opened at a time.
const AT_A_TIME: usize = 64;

/// The user that every connection is of.
const USER: i64 = 4_711;

/// Connects so many browsers of one user to a shop, and places orders of which each is told.
/// Fails if one is told of an order twice or never.
///
/// # Errors
/// Something does not work.
pub async fn run(
    stack: &Stack,
    connections: usize,
    orders: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let name = format!("live {connections} connections");
    println!("{name}: connecting");
    let env = [("gateway", "LIVE_MAX_PER_IDENTITY", "0")];
    let shop = orders::start(stack, &env).await?;
    let gateway = shop.gateway_url();
    let client = Client::new(&gateway)?;
    client.open_account(USER, Decimal::from(1_000_000)).await?;
    // What the gateway needs once is there before the first connection is counted.
    client.place_order(USER, Decimal::ONE).await?;
    let token = demo_token::of_user(&reqwest::Client::new(), &gateway, USER).await?;
    drop(Listener::connect(&gateway, &token).await?);
    let process = shop.part("gateway")?.process().id();
    let memory = || resident(process).context("the gateway is gone");
    let before = memory()?;
    let listeners: Vec<Listener> = stream::iter(0..connections)
        .map(|_| Listener::connect(&gateway, &token))
        .buffer_unordered(AT_A_TIME)
        .try_collect()
        .await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let each = memory()?.saturating_sub(before) as f64 / 1024.0 / connections as f64;
    report.add(&name, "gateway, idle", "KiB/connection", each);
    let (told, mut heard) = mpsc::unbounded_channel();
    let listening: Vec<_> = listeners
        .into_iter()
        .map(|mut listener| {
            let told = told.clone();
            tokio::spawn(async move {
                let mut finished = Vec::new();
                while finished.len() < orders {
                    let event = listener.told().await?;
                    if event["type"] == "resync" {
                        bail!("the gateway left something out: {event}");
                    }
                    if event["type"] == "order" && event["status"] == "FINISHED" {
                        finished.push(event["order_id"].to_string());
                        told.send(Instant::now())?;
                    }
                }
                Ok(finished)
            })
        })
        .collect();
    let (mut millis, mut last) = (Vec::new(), Vec::new());
    for _ in 0..orders {
        let started = Instant::now();
        client.place_order(USER, Decimal::ONE).await?;
        let mut slowest: f64 = 0.0;
        for _ in 0..connections {
            let at = timeout(PATIENCE, heard.recv()).await.context("a connection is not told")?;
            let took = (at.context("no connection is left")? - started).as_secs_f64() * 1e3;
            millis.push(took);
            slowest = slowest.max(took);
        }
        last.push(slowest);
    }
    for (of, mut millis) in [("POST until a browser knows", millis), ("POST until all know", last)]
    {
        millis.sort_by(f64::total_cmp);
        for (unit, hundredths) in PERCENTILES {
            report.add(&name, of, unit, percentile(&millis, hundredths));
        }
    }
    for finished in try_join_all(listening).await? {
        let mut finished = finished?;
        finished.sort();
        finished.dedup();
        if finished.len() != orders {
            bail!("a connection was told of an order twice and of another never");
        }
    }
    shop.stop().await;
    Ok(())
}
