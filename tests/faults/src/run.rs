//! A whole run: start everything, write under faults, wait until all is quiet, audit.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use fastrand::Rng;
use outbox_sidecar_core::config::Delivery;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    audit::{Audit, audit},
    disturb::{Disturbance, Say},
    evidence::{Arrivals, arrivals, collect},
    schedule::{Kind, Length, Shape, schedule},
    world::{Size, World},
    writer::{Tally, Writer},
};

/// How long nothing may arrive, with everything running, before what has not is stuck.
const QUIET: Duration = Duration::from_secs(90);

/// However steadily rows arrive, they are not waited for longer than this.
const LONGEST_SETTLING: Duration = Duration::from_secs(30 * 60);

/// How often the processes are looked after.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How often it is told how far things are.
const TELL_INTERVAL: Duration = Duration::from_secs(10);

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What faults and transactions are drawn from.
    pub seed: u64,
    /// Relays that run all along, at least 1.
    pub relays: usize,
    /// Writers, each with a transaction at a time.
    pub writers: usize,
    /// Keys, at least 1; each writer writes for all of them.
    pub keys: usize,
    /// Transactions a second, of all writers together, at most.
    pub rate: u32,
    /// The relays' lease.
    pub lease: Duration,
    /// How the relays publish.
    pub delivery: Delivery,
    /// The mean time from one fault to the next.
    pub gap: Duration,
    /// How long faults are done.
    pub length: Length,
    /// Where the processes' logs are kept, if anywhere.
    pub logs: Option<PathBuf>,
}

/// What a run gives.
#[derive(Debug)]
pub struct Outcome {
    /// Faults done.
    pub faults: BTreeMap<Kind, usize>,
    /// What the writers did.
    pub tally: Arc<Tally>,
    /// From the first fault to the end of the last.
    pub disturbed: Duration,
    /// From then until everything had arrived, or was given up.
    pub settling: Duration,
    /// Whether every row has arrived, and in its order.
    pub audit: Audit,
}

/// Runs. When `stop` is cancelled no more faults are done, those under way are undone, and the
/// audit is as usual.
///
/// # Errors
/// Something could not be started, or a fault not be done or undone; that is no verdict.
pub async fn run(
    settings: &Settings,
    stop: CancellationToken,
    say: Say,
) -> anyhow::Result<Outcome> {
    say("starting PostgreSQL, Kafka, the application and the relays");
    let size = Size {
        relays: settings.relays,
        lease: settings.lease,
        delivery: settings.delivery,
        keys: settings.keys,
        logs: settings.logs.clone(),
    };
    let world = Arc::new(World::start(&size).await?);
    let tally = Arc::new(Tally::default());
    let (writing, watching) = (CancellationToken::new(), CancellationToken::new());
    let _end = (writing.clone().drop_guard(), watching.clone().drop_guard());
    let mut writers = start_writers(settings, &world, &tally, &writing);
    let watch = tokio::spawn(watch(Arc::clone(&world), Arc::clone(&say), watching.clone()));

    let started = Instant::now();
    let disturbance = Disturbance {
        world: Arc::clone(&world),
        keys: settings.keys,
        tally: Arc::clone(&tally),
        stop,
        say: Arc::clone(&say),
    };
    let shape = Shape {
        relays: settings.relays,
        lease: settings.lease,
        gap: settings.gap,
        length: settings.length,
    };
    let faults = disturbance.run(schedule(settings.seed, &shape)).await?;
    let disturbed = started.elapsed();
    writing.cancel();
    while let Some(writer) = writers.join_next().await {
        writer.context("a writer failed")?;
    }
    say("no more faults and no more rows; waiting until everything has arrived");
    let quiet_since = Instant::now();
    settle(&world).await?;
    let settling = quiet_since.elapsed();
    watching.cancel();
    watch.await.context("the watch failed")??;
    world.stop_relays().await;
    say("auditing");
    let audit = audit(&collect(&world).await?);
    Ok(Outcome { faults, tally, disturbed, settling, audit })
}

fn start_writers(
    settings: &Settings,
    world: &World,
    tally: &Arc<Tally>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut writers = JoinSet::new();
    let count = u32::try_from(settings.writers).unwrap_or(u32::MAX);
    for number in 1..=count {
        let writer = Writer {
            database: Arc::clone(&world.database),
            rng: Rng::with_seed(settings.seed ^ u64::from(number).rotate_right(8)),
            keys: settings.keys,
            interval: Duration::from_secs(1) * count / settings.rate.max(1),
            tally: Arc::clone(tally),
        };
        writers.spawn(writer.run(stop.clone()));
    }
    writers
}

/// Looks after the processes, and tells from time to time how far things are.
async fn watch(world: Arc<World>, say: Say, stop: CancellationToken) -> anyhow::Result<()> {
    let mut client = None;
    let mut told = Instant::now();
    while stop.run_until_cancelled(sleep(LOOK_INTERVAL)).await.is_some() {
        if let Err(error) = world.look_after().await {
            say(&format!("a process that ended does not start again: {error:#}"));
            return Err(error);
        }
        if told.elapsed() < TELL_INTERVAL {
            continue;
        }
        told = Instant::now();
        match progress(&world, &mut client).await {
            Some(Arrivals { due, arrived }) => {
                say(&format!("           {due} rows committed, {arrived} arrived"));
            }
            None => client = None,
        }
    }
    Ok(())
}

/// How far things are; `None` while the database is away.
async fn progress(world: &World, client: &mut Option<tokio_postgres::Client>) -> Option<Arrivals> {
    let client = match client {
        Some(client) => client,
        None => client.insert(world.database.connect().await.ok()?),
    };
    arrivals(client).await.ok()
}

/// Waits until every row has arrived, or none has for a long time.
async fn settle(world: &World) -> anyhow::Result<()> {
    let client = world.database.connect().await?;
    let mut last = arrivals(&client).await.context("cannot count what has arrived")?;
    let (started, mut moved_at) = (Instant::now(), Instant::now());
    while last.arrived < last.due
        && moved_at.elapsed() < QUIET
        && started.elapsed() < LONGEST_SETTLING
    {
        sleep(LOOK_INTERVAL).await;
        let now = arrivals(&client).await.context("cannot count what has arrived")?;
        if now != last {
            (last, moved_at) = (now, Instant::now());
        }
    }
    Ok(())
}
