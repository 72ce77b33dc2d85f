//! To the application: serial per key, concurrent across keys.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use outbox_sidecar_core::{
    delivery::{Batch, BatchLimit, Outcome, Partition, Pending, Scheduler, Settled, TrialEnd},
    event::InboxMessage,
};
use tokio::{sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    endpoint::{Endpoint, Refusal},
    ingest::InboxRelay,
    store::Store,
    suspects::Suspects,
};
use crate::{error::Error, metrics::InboxMetrics, status::InboxStatus};

/// Messages in memory at most; beyond it they wait in Kafka.
pub(super) const MAXIMUM_QUEUED: usize = 10_000;

/// Bytes in memory at most; beyond it messages wait in Kafka.
pub(super) const MAXIMUM_QUEUED_BYTES: usize = 16 << 20;

/// Bytes per request; one larger message still goes, alone.
pub(super) const MAXIMUM_REQUEST_BYTES: usize = 1 << 20;

/// How long messages wait for others to go with them while a request is under way: an
/// application that is asked all the time is asked less often, and one that is slow is still
/// asked several things at once.
const GATHER: Duration = Duration::from_millis(20);

/// What the ingestion tells the delivery.
pub enum Work {
    /// Messages to deliver, those of one key in order.
    Messages(Vec<Pending<InboxMessage>>),
    /// Partitions that belong to another consumer now.
    Revoked(Vec<Partition>),
}

/// How full the delivery's queue is; shared with the ingestion.
#[derive(Clone, Default)]
pub struct Fill {
    messages: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Fill {
    /// Whether no more should be fetched for now.
    pub fn is_full(&self) -> bool {
        self.messages.load(Ordering::Relaxed) >= MAXIMUM_QUEUED
            || self.bytes.load(Ordering::Relaxed) >= MAXIMUM_QUEUED_BYTES
    }

    fn set(&self, scheduler: &Scheduler<InboxMessage>) {
        self.messages.store(scheduler.len(), Ordering::Relaxed);
        self.bytes.store(scheduler.bytes(), Ordering::Relaxed);
    }
}

/// The delivery of one inbox.
pub struct Delivery {
    store: Arc<Store>,
    suspects: Suspects,
    fill: Fill,
    scheduler: Scheduler<InboxMessage>,
    endpoint: Endpoint,
    limit: BatchLimit,
    concurrency: usize,
    in_flight: FuturesUnordered<BoxFuture<'static, Delivered>>,
    /// When the last request went out.
    sent_at: Instant,
    inbox: String,
    applied: Arc<dyn Fn() + Send + Sync>,
    metrics: InboxMetrics,
    status: InboxStatus,
}

struct Delivered {
    batch: Batch<InboxMessage>,
    answer: Result<HashMap<Uuid, Outcome>, Refusal>,
    took: Duration,
}

impl Delivery {
    /// An empty queue.
    pub fn new(relay: &InboxRelay, store: Arc<Store>, fill: Fill) -> Self {
        let deliver = &relay.config.deliver;
        Self {
            store,
            suspects: Suspects::new(relay.pool.clone(), &relay.config.name),
            fill,
            scheduler: Scheduler::new(deliver.retry_policy()),
            endpoint: Endpoint::new(relay.http.clone(), &deliver.requests),
            limit: BatchLimit {
                messages: usize::from(deliver.requests.batch),
                bytes: MAXIMUM_REQUEST_BYTES,
            },
            concurrency: usize::from(deliver.requests.concurrency),
            in_flight: FuturesUnordered::new(),
            sent_at: Instant::now(),
            inbox: relay.config.name.clone(),
            applied: Arc::clone(&relay.applied),
            metrics: relay.metrics.clone(),
            status: relay.status.clone(),
        }
    }

    /// Delivers what comes through the channel until it closes or a stop is
    /// asked for, and then waits for the requests under way.
    ///
    /// # Errors
    /// The database is away, so that a failure could not be noted.
    pub async fn repeat(
        mut self,
        mut work: mpsc::Receiver<Work>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        loop {
            self.dispatch();
            let wakeup = [self.scheduler.next_wakeup(), self.gathers_until(Instant::now())]
                .into_iter()
                .flatten()
                .min()
                .filter(|_| self.in_flight.len() < self.concurrency);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(delivered) = self.in_flight.next() => self.settle(delivered).await?,
                message = work.recv() => match message {
                    Some(Work::Messages(messages)) => {
                        for pending in messages {
                            self.scheduler.push(pending);
                        }
                    }
                    Some(Work::Revoked(partitions)) => {
                        for partition in partitions {
                            self.scheduler.revoke(partition);
                        }
                    }
                    None => break,
                },
                () = sleep_until(wakeup.unwrap_or_else(far_off).into()), if wakeup.is_some() => {}
            }
            self.fill.set(&self.scheduler);
            self.metrics.queue(
                self.scheduler.len(),
                self.scheduler.bytes(),
                self.scheduler.parked_keys(),
            );
            self.status.queue(
                self.scheduler.len(),
                self.scheduler.in_flight(),
                self.scheduler.parked_keys(),
            );
        }
        while let Some(delivered) = self.in_flight.next().await {
            self.settle(delivered).await?;
        }
        Ok(())
    }

    /// Until when the next request waits for a full batch, if it does: while another is under
    /// way, which was sent a moment ago.
    fn gathers_until(&self, now: Instant) -> Option<Instant> {
        let waiting = self.scheduler.len() - self.scheduler.in_flight();
        let gathers = !self.in_flight.is_empty() && (1..self.limit.messages).contains(&waiting);
        Some(self.sent_at + GATHER).filter(|until| gathers && *until > now)
    }

    fn dispatch(&mut self) {
        while self.in_flight.len() < self.concurrency {
            if self.gathers_until(Instant::now()).is_some() {
                return;
            }
            let Some(batch) = self.scheduler.next_batch(Instant::now(), self.limit) else { return };
            let (endpoint, suspects) = (self.endpoint.clone(), self.suspects.clone());
            let request = async move {
                let started = Instant::now();
                if batch.trial
                    && let [only] = batch.messages.as_slice()
                    && let Err(error) = suspects.start(only.id).await
                {
                    let answer = Err(Refusal::NotBegun(error));
                    return Delivered { batch, answer, took: started.elapsed() };
                }
                let messages = batch.messages.iter().map(|pending| &pending.message);
                let answer = endpoint.deliver(messages, batch.trial).await;
                Delivered { batch, answer, took: started.elapsed() }
            };
            self.in_flight.push(request.boxed());
            self.sent_at = Instant::now();
        }
    }

    async fn settle(&mut self, delivered: Delivered) -> Result<(), Error> {
        let Delivered { batch, answer, took } = delivered;
        let messages = batch.messages.len();
        let outcomes = match answer {
            Ok(outcomes) => {
                if self.status.recovered() {
                    tracing::info!(inbox = self.inbox, "the application takes messages again");
                }
                outcomes
            }
            Err(Refusal::NotBegun(error)) => return Err(error),
            Err(refusal) => {
                let outcome = refusal.outcome();
                let problem = refusal.problem();
                if self.status.waiting(&format!("the application to take messages: {problem}")) {
                    tracing::warn!(
                        inbox = self.inbox,
                        error = problem,
                        "the application does not take messages; retrying"
                    );
                }
                batch.messages.iter().map(|pending| (pending.id, outcome.clone())).collect()
            }
        };
        let completion = self.scheduler.complete(batch, &outcomes, Instant::now(), jitter());
        let mut dead = Vec::new();
        let mut done = 0;
        for (pending, how) in completion.settled {
            match how {
                Settled::Done => done += 1,
                Settled::Dead(reason) => {
                    let place = &pending.message;
                    tracing::error!(
                        inbox = self.inbox, message = %pending.id, topic = place.topic, partition = place.partition,
                        offset = place.offset, reason, "a message can never be applied and is now a dead letter"
                    );
                    dead.push((pending.id, reason));
                }
            }
        }
        self.metrics.delivered(done, dead.len(), messages - done - dead.len(), took);
        self.store.note_retries(&completion.failed).await?;
        self.store.note_dead(&dead).await?;
        if let Some((message, end)) = completion.trial {
            if end == TrialEnd::Counted {
                self.metrics.crashed();
                tracing::warn!(inbox = self.inbox, %message, "the application broke off while it had only this message");
            }
            let settled = done + dead.len() > 0;
            self.suspects.end(message, end, settled).await?;
        }
        if done > 0 {
            (self.applied)();
        }
        Ok(())
    }
}

/// Random enough to spread retries.
pub(super) fn jitter() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

pub(super) fn far_off() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
