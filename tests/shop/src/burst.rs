//! Many orders at once, by users some of whom run out of money.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use rust_decimal::Decimal;
use tokio::time::{Instant, MissedTickBehavior};
use uuid::Uuid;

use crate::client::Client;

/// How many orders by whom.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Orders in all.
    pub orders: usize,
    /// Users they are spread over, at least 1.
    pub users: usize,
    /// Requests under way at a time.
    pub connections: usize,
}

/// What was deposited and ordered: what the books must show in the end.
#[derive(Debug)]
pub struct Placed {
    /// The users and what each deposited.
    pub deposits: Vec<(i64, Decimal)>,
    /// The orders.
    pub orders: Vec<Uuid>,
    /// From the first POST to the last answer.
    pub posting: Duration,
    /// From the first POST to the last final status.
    pub settling: Duration,
}

impl Placed {
    /// How many orders a second that is, in such a time.
    pub fn per_second(&self, time: Duration) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let count = self.orders.len() as f64;
        count / time.as_secs_f64()
    }
}

/// A burst whose accounts are open.
pub struct Prepared {
    client: Client,
    burst: Burst,
    deposits: Vec<(i64, Decimal)>,
    placed: Arc<AtomicUsize>,
}

/// What is deposited for each order of a user, in ten-thousandths: a little less
/// than an order costs on average, so that some users run out of money.
const DEPOSIT_PER_ORDER: i64 = 140_000;

impl Burst {
    /// Opens the accounts, of users nobody has used before: half the money at
    /// the opening, half as a top-up.
    ///
    /// # Errors
    /// The shop refuses, or stays away.
    pub async fn prepare(self, client: &Client) -> anyhow::Result<Prepared> {
        let first = fresh_user()?;
        let orders_each = i64::try_from(self.orders / self.users)?.max(1);
        let half = Decimal::new(DEPOSIT_PER_ORDER * orders_each / 2, 4);
        let users: Vec<i64> = (first..).take(self.users).collect();
        stream::iter(users.iter().map(|user| async move {
            client.open_account(*user, half).await?;
            client.change_balance(*user, half).await
        }))
        .buffer_unordered(self.connections)
        .try_collect::<Vec<_>>()
        .await?;
        Ok(Prepared {
            client: client.clone(),
            burst: self,
            deposits: users.into_iter().map(|user| (user, half + half)).collect(),
            placed: Arc::default(),
        })
    }
}

impl Prepared {
    /// How many orders have been placed so far; shared, for watching.
    pub fn placed(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.placed)
    }

    /// Places orders one after the other, one each `interval` at most, for as
    /// long as `disturbance` goes on, and at least as many as the burst has;
    /// waits until each is final. Gives what was placed and what the
    /// disturbance gave.
    ///
    /// # Errors
    /// The disturbance fails; or as [`run`](Self::run).
    pub async fn run_during<T>(
        self,
        disturbance: impl Future<Output = anyhow::Result<T>>,
        interval: Duration,
        patience: Duration,
    ) -> anyhow::Result<(Placed, T)> {
        let started = Instant::now();
        let over = AtomicBool::new(false);
        let disturbance = async {
            let given = disturbance.await;
            over.store(true, Ordering::Relaxed);
            given
        };
        // Both to their ends, whatever becomes of the other: a disturbance may have
        // something to put right again.
        let (orders, given) = futures::join!(self.place_until(&over, interval), disturbance);
        let (orders, given) = (orders?, given?);
        let posting = started.elapsed();
        Ok((self.settle(orders, started, posting, patience).await?, given))
    }

    async fn place_until(
        &self,
        over: &AtomicBool,
        interval: Duration,
    ) -> anyhow::Result<Vec<Uuid>> {
        let mut turns = tokio::time::interval(interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (number, turns) = (AtomicUsize::new(0), tokio::sync::Mutex::new(turns));
        let placing = |_| async {
            let mut orders = Vec::new();
            loop {
                turns.lock().await.tick().await;
                let number = number.fetch_add(1, Ordering::Relaxed);
                if number >= self.burst.orders && over.load(Ordering::Relaxed) {
                    return anyhow::Ok(orders);
                }
                orders.push(self.place(number).await?);
            }
        };
        let orders =
            futures::future::try_join_all((0..self.burst.connections).map(placing)).await?;
        Ok(orders.concat())
    }

    async fn place(&self, number: usize) -> anyhow::Result<Uuid> {
        let (user, _) = self.deposits[number % self.deposits.len()];
        let order = self.client.place_order(user, amount(number)).await?;
        self.placed.fetch_add(1, Ordering::Relaxed);
        Ok(order.id)
    }

    /// Places the orders and waits until each is final.
    ///
    /// # Errors
    /// The shop refuses or stays away, or an order does not become final
    /// within `patience` after the last was placed.
    pub async fn run(self, patience: Duration) -> anyhow::Result<Placed> {
        self.post().await?.settled(patience).await
    }

    /// Places the orders, and waits for nothing but the answers.
    ///
    /// # Errors
    /// The shop refuses or stays away.
    pub async fn post(self) -> anyhow::Result<Posted> {
        let started = Instant::now();
        let orders: Vec<Uuid> = stream::iter(0..self.burst.orders)
            .map(|number| self.place(number))
            .buffer_unordered(self.burst.connections)
            .try_collect()
            .await?;
        Ok(Posted { posting: started.elapsed(), prepared: self, orders, started })
    }

    async fn settle(
        self,
        orders: Vec<Uuid>,
        started: Instant,
        posting: Duration,
        patience: Duration,
    ) -> anyhow::Result<Placed> {
        // The last ones first: once they are final, most others are.
        stream::iter(orders.iter().rev())
            .map(|id| self.client.settled(*id, patience, Duration::from_millis(20)))
            .buffer_unordered(self.burst.connections)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(Placed { deposits: self.deposits, orders, posting, settling: started.elapsed() })
    }
}

/// A burst whose orders are placed, and may not be final yet.
pub struct Posted {
    prepared: Prepared,
    orders: Vec<Uuid>,
    started: Instant,
    posting: Duration,
}

impl Posted {
    /// Waits until each order is final.
    ///
    /// # Errors
    /// One does not become so within `patience`.
    pub async fn settled(self, patience: Duration) -> anyhow::Result<Placed> {
        let Self { prepared, orders, started, posting } = self;
        prepared.settle(orders, started, posting, patience).await
    }
}

/// Between 0.0001 and 30, with four decimals, and about 15 on average.
fn amount(number: usize) -> Decimal {
    let step = i64::try_from(number.wrapping_mul(7_919) % 300_000).unwrap_or_default();
    Decimal::new(step + 1, 4)
}

/// A user id that no earlier burst has used: they grow with the time, in
/// microseconds, and leave room for the users of one burst.
fn fresh_user() -> anyhow::Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    i64::try_from(now.as_micros()).context("the clock is too far ahead")
}
