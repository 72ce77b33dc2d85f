//! Orders at a whole shop: every service, sidecar and table of it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures::future::try_join_all;
use rust_decimal::Decimal;
use shop_tests::{
    audit::{Audit, audit},
    burst::{Burst, Placed},
    client::Client,
    live::Listener,
};
use test_support::{
    demo_token,
    kafka::Server,
    process::Signal,
    shop::{Shop, ShopOptions},
};
use tokio::time::timeout;
use tokio_postgres::{NoTls, types::ToSql};
use uuid::Uuid;

use crate::{
    latency::{PERCENTILES, percentile},
    report::Report,
    stack::Stack,
};

const PATIENCE: Duration = Duration::from_secs(300);

/// Requests under way at a time, and sessions of the plain inserts.
const CONNECTIONS: usize = 32;

/// What a POST writes, in a schema of its own, where nobody carries it on.
const PLAIN: &str = "
CREATE SCHEMA plain;
CREATE TABLE plain.orders (LIKE public.orders INCLUDING ALL);
CREATE TABLE plain.outbox (LIKE public.outbox INCLUDING ALL);
CREATE TABLE plain.events (LIKE public.events INCLUDING ALL);
CREATE TABLE plain.idempotency_keys (LIKE public.idempotency_keys INCLUDING ALL);";

const PLAIN_ORDER: &str = "INSERT INTO plain.orders (id, user_id, amount, description, traceparent) VALUES ($1, $2, 1.25, 'plain', '')";
const PLAIN_OUTBOX: &str = "INSERT INTO plain.outbox (id, aggregate_type, aggregate_id, type, payload) VALUES ($1, 'order', $1::uuid::text, 'payment.requested', $2::text::jsonb)";
const PLAIN_EVENT: &str = "INSERT INTO plain.events (id, aggregate_type, aggregate_id, type, payload) VALUES ($1, 'user', '1', 'order.changed', $2::text::jsonb)";
const PLAIN_KEY: &str = "INSERT INTO plain.idempotency_keys (key, fingerprint, status, body) VALUES ($1::uuid::text, decode(md5('fingerprint'), 'hex'), 201, convert_to($2::text, 'UTF8'))";

/// The values of a plain insert.
type Values<'a> = [&'a (dyn ToSql + Sync); 2];

/// How many orders.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// One at a time.
    pub single: usize,
    /// As fast as possible.
    pub burst: usize,
    /// How often.
    pub runs: usize,
}

/// Orders one at a time until their browser is told, then many at once, beside the inserts of as
/// many orders by plain SQL. Fails if the books do not balance in the end.
///
/// # Errors
/// Something does not work, or an order or money is missing.
pub async fn run(stack: &Stack, orders: Orders, report: &mut Report) -> anyhow::Result<()> {
    let shop = start(stack, &[]).await?;
    let client = Client::new(shop.gateway_url())?;
    // The first orders meet cold caches and connections that are not made yet.
    burst(&client, 500).await?;
    let name = "orders one at a time";
    for run in 1..=orders.runs {
        println!("{name}: run {run} of {}", orders.runs);
        let millis = one_at_a_time(&shop, &client, orders.single).await?;
        for (unit, hundredths) in PERCENTILES {
            report.add(
                name,
                "POST until FINISHED is pushed",
                unit,
                percentile(&millis, hundredths),
            );
        }
    }
    let (sql, _connection) = shop_database(&shop).await?;
    sql.batch_execute(PLAIN).await.context("making tables for the plain inserts")?;
    let name = format!("orders {} at once", orders.burst);
    for run in 1..=orders.runs {
        println!("{name}: run {run} of {}", orders.runs);
        let plain = plain_inserts(&shop, orders.burst).await?;
        report.add(&name, "plain inserts", "orders/s", plain);
        let (placed, audit) = with_frozen_sidecars(&shop, &client, orders.burst).await?;
        balanced(&audit)?;
        report
            .add(&name, "POST, sidecars frozen", "orders/s", placed.per_second(placed.posting))
            .beside("plain inserts");
        let (placed, audit) = burst(&client, orders.burst).await?;
        balanced(&audit)?;
        for (subject, time) in
            [("POST", placed.posting), ("POST until all are final", placed.settling)]
        {
            report.add(&name, subject, "orders/s", placed.per_second(time)).beside("plain inserts");
        }
    }
    shop.stop().await;
    Ok(())
}

/// A shop of the programs that were built beside this one, ready to tell of orders.
///
/// # Errors
/// It does not start.
pub async fn start(stack: &Stack, env: &[(&str, &str, &str)]) -> anyhow::Result<Shop> {
    let options = ShopOptions {
        postgres: Some(stack.postgres().clone()),
        kafka: Some(stack.kafka().clone()),
        prefix: format!("{}-", Server::unique("shop")),
        ..ShopOptions::default()
    };
    let options = env
        .iter()
        .fold(options, |options, (program, name, value)| options.env(program, name, *value));
    let shop = Shop::start(options).await?;
    let status = format!("{}/status", shop.admin_url("gateway-sidecar")?);
    let all_partitions = async {
        loop {
            // The feed begins where it finds each partition, and skips what was before.
            let status: serde_json::Value = reqwest::get(&status).await?.json().await?;
            if status["inboxes"]["live"]["ownedPartitions"].as_u64() >= Some(18) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, all_partitions).await.context("the live feed does not start")??;
    Ok(shop)
}

/// Opens accounts, places orders and waits until all are final.
async fn burst(client: &Client, orders: usize) -> anyhow::Result<(Placed, Audit)> {
    let burst = Burst { orders, users: (orders / 10).max(1), connections: CONNECTIONS };
    let placed = burst.prepare(client).await?.run(PATIENCE).await?;
    let audit = audit(client, &placed).await?;
    Ok((placed, audit))
}

fn balanced(audit: &Audit) -> anyhow::Result<()> {
    if let Some(violation) = audit.violations.first() {
        bail!("{} violations in the books, the first: {violation}", audit.violations.len());
    }
    Ok(())
}

/// A burst whose orders are carried on only when all are placed: what remains while they are
/// is the way of a POST itself, beside nothing else.
async fn with_frozen_sidecars(
    shop: &Shop,
    client: &Client,
    orders: usize,
) -> anyhow::Result<(Placed, Audit)> {
    let burst = Burst { orders, users: (orders / 10).max(1), connections: CONNECTIONS };
    let prepared = burst.prepare(client).await?;
    let signal = |signal: Signal| {
        for part in shop.parts().iter().filter(|part| part.name().ends_with("-sidecar")) {
            part.process().signal(signal);
        }
    };
    signal(Signal::STOP);
    let posted = prepared.post().await;
    signal(Signal::CONT);
    let placed = posted?.settled(PATIENCE).await?;
    let audit = audit(client, &placed).await?;
    Ok((placed, audit))
}

/// Milliseconds from a POST until the buyer's browser is told that it is paid, sorted.
async fn one_at_a_time(shop: &Shop, client: &Client, count: usize) -> anyhow::Result<Vec<f64>> {
    let nobody = Burst { orders: 0, users: 1, connections: 1 }.prepare(client).await?;
    let placed = nobody.run(PATIENCE).await?;
    let (user, _) = placed.deposits.first().context("there is no user")?;
    client.change_balance(*user, Decimal::from(count)).await?;
    let http = reqwest::Client::new();
    let token = demo_token::of_user(&http, &shop.gateway_url(), *user).await?;
    let mut browser = Listener::connect(&shop.gateway_url(), &token).await?;
    let mut millis = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        let order = client.place_order(*user, Decimal::new(1, 2)).await?;
        timeout(PATIENCE, browser.told_of(&order.id.to_string(), "FINISHED"))
            .await
            .context("an order was never told to be paid")??;
        millis.push(started.elapsed().as_secs_f64() * 1e3);
    }
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}

async fn shop_database(
    shop: &Shop,
) -> anyhow::Result<(tokio_postgres::Client, tokio::task::JoinHandle<()>)> {
    let url = shop.database_url("orders")?;
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(async move {
        // Its end shows in the client.
        drop(connection.await);
    });
    Ok((client, connection))
}

/// Orders a second by the statements of a POST alone, a transaction each, sent together.
async fn plain_inserts(shop: &Shop, orders: usize) -> anyhow::Result<f64> {
    let mut sessions = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, connection) = shop_database(shop).await?;
        let mut statements = Vec::new();
        for sql in [PLAIN_ORDER, PLAIN_OUTBOX, PLAIN_EVENT, PLAIN_KEY] {
            statements.push(client.prepare(sql).await.context("preparing the plain inserts")?);
        }
        sessions.push((client, statements, connection));
    }
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    try_join_all(sessions.iter_mut().map(|(client, statements, _)| {
        let next = &next;
        async move {
            let [order, outbox, event, key] = statements.as_slice() else {
                bail!("there are four statements");
            };
            while next.fetch_add(1, Ordering::Relaxed) < orders {
                let (id, user) = (Uuid::now_v7(), 1_i64);
                let payload = format!(
                    r#"{{"amount": "1.25", "user_id": {user}, "order_id": "{id}", "description": "plain"}}"#
                );
                let transaction = client.transaction().await?;
                let (of_user, with_payload): (Values<'_>, Values<'_>) =
                    ([&id, &user], [&id, &payload]);
                tokio::try_join!(
                    transaction.execute(order, &of_user),
                    transaction.execute(outbox, &with_payload),
                    transaction.execute(event, &with_payload),
                    transaction.execute(key, &with_payload),
                )?;
                transaction.commit().await?;
            }
            anyhow::Ok(())
        }
    }))
    .await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let orders = orders as f64;
    Ok(orders / started.elapsed().as_secs_f64())
}
