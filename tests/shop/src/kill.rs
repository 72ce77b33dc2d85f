//! `kill -9` of one process in the middle of a burst.

use std::{sync::atomic::Ordering, time::Duration};

use anyhow::Context as _;
use test_support::shop::Shop;
use tokio::time::sleep;

use crate::{
    audit::{Audit, audit},
    burst::Burst,
    client::Client,
};

/// Everything that can be killed, in the order of the rounds.
pub const VICTIMS: [&str; 7] =
    ["orders-sidecar", "payments", "kafka", "payments-sidecar", "orders", "postgres", "gateway"];

/// How long orders may take to become final after everything is back.
const PATIENCE: Duration = Duration::from_secs(90);

/// Places a burst, kills the victim with SIGKILL once `at` orders are placed,
/// starts it again, waits until all orders are final, and audits the books.
///
/// # Errors
/// A part does not come back, or an order does not become final.
pub async fn round(shop: &Shop, burst: Burst, victim: &str, at: usize) -> anyhow::Result<Audit> {
    let client = Client::new(shop.gateway_url())?;
    let prepared = burst.prepare(&client).await?;
    let progress = prepared.placed();
    let killing = async {
        while progress.load(Ordering::Relaxed) < at {
            sleep(Duration::from_millis(1)).await;
        }
        shop.part(victim)?.restart().await.with_context(|| format!("{victim} does not come back"))
    };
    let (placed, ()) = futures::try_join!(prepared.run(PATIENCE), killing)?;
    audit(&client, &placed).await
}
