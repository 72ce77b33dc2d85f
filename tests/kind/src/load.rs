//! Orders while something happens, and the books afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use shop_tests::{
    audit::{Audit, audit},
    burst::Burst,
    client::Client,
};

use crate::{Namespace, PATIENCE};

/// Few, so that what is looked at is the fault and not the machine.
const INTERVAL: Duration = Duration::from_millis(60);

/// At least so many orders; more while the disturbance goes on.
const ORDERS: Burst = Burst { orders: 200, users: 20, connections: 4 };

/// How many orders have been placed, for a disturbance to wait for.
pub struct Progress {
    placed: Arc<AtomicUsize>,
    namespace: Namespace,
}

impl Progress {
    /// Waits until so many more orders have been placed than now.
    ///
    /// # Errors
    /// It takes longer than [`PATIENCE`].
    pub async fn more(&self, orders: usize) -> anyhow::Result<()> {
        let goal = self.placed.load(Ordering::Relaxed) + orders;
        self.namespace
            .until(&format!("{goal} orders are placed"), PATIENCE, async || {
                let placed = self.placed.load(Ordering::Relaxed);
                ensure!(placed >= goal, "{placed} are");
                Ok(())
            })
            .await
    }
}

/// Places orders one after the other while `disturbance` goes on; then every
/// order that was accepted must be final, and the books must balance. Requests
/// that fail are repeated, with the same idempotency key.
///
/// # Errors
/// The disturbance fails, an order is not final within [`PATIENCE`], or the
/// books do not balance: with the state of the namespace.
pub async fn under_load(
    namespace: &Namespace,
    client: &Client,
    disturbance: impl AsyncFnOnce(&Progress) -> anyhow::Result<()>,
) -> anyhow::Result<Audit> {
    match books(namespace, client, disturbance).await {
        Ok(audit) => Ok(audit),
        Err(err) => Err(err.context(namespace.describe().await)),
    }
}

async fn books(
    namespace: &Namespace,
    client: &Client,
    disturbance: impl AsyncFnOnce(&Progress) -> anyhow::Result<()>,
) -> anyhow::Result<Audit> {
    let client = client.clone().patient(PATIENCE);
    let prepared = ORDERS.prepare(&client).await?;
    let progress = Progress { placed: prepared.placed(), namespace: namespace.clone() };
    let disturbance = async {
        // The orders flow before anything happens.
        progress.more(ORDERS.users).await?;
        disturbance(&progress).await
    };
    let (placed, ()) = prepared.run_during(disturbance, INTERVAL, PATIENCE).await?;
    let audit = audit(&client, &placed).await?;
    ensure!(audit.violations.is_empty(), "the books do not balance: {:#?}", audit.violations);
    let known = audit.finished + audit.cancelled;
    ensure!(known == placed.orders.len(), "{known} of {} orders are final", placed.orders.len());
    ensure!(audit.finished > 0, "no order was paid");
    Ok(audit)
}
