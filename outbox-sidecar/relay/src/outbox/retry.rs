//! Parked rows, tried again when their time has come.

use std::time::{Duration, Instant};

use deadpool_postgres::Client;
use outbox_sidecar_core::chunk_size::ChunkSize;
use tokio_util::sync::CancellationToken;

use super::{
    claim::RowId,
    lease::Lane,
    parked,
    publisher::{InFlight, Taken},
    relay::{Pass, leave, older},
};
use crate::error::Error;

/// When parked rows are tried, and how many at a time.
pub(super) struct Retry {
    size: ChunkSize,
    due: Option<Instant>,
    /// When that was found out, and for which buckets.
    known: Option<(Instant, Vec<i32>)>,
}

/// How often parked rows are looked for that this relay has not parked itself.
const INTERVAL: Duration = Duration::from_secs(5);

impl Retry {
    pub(super) fn new(size: ChunkSize) -> Self {
        Self { size, due: None, known: None }
    }

    /// Whether a parked row is to be tried now.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// This moment, or an earlier one if a parked row is due before.
    pub(super) fn before(&self, moment: Instant) -> Instant {
        self.due.map_or(moment, |due| due.min(moment))
    }
}

impl Pass<'_> {
    /// Finds out when the next parked row is due, if that may have changed: another
    /// relay may have parked some in buckets taken over, and a person may have sent a
    /// dead letter on its way again.
    pub(super) async fn keep_an_eye_on_parked(&mut self) -> Result<(), Error> {
        let fresh = self.retry.known.as_ref().is_some_and(|(at, buckets)| {
            at.elapsed() < INTERVAL && *buckets == self.held_buckets()
        });
        if fresh { Ok(()) } else { self.look_at_parked().await }
    }

    /// Finds out when the next parked row is due.
    pub(super) async fn look_at_parked(&mut self) -> Result<(), Error> {
        let buckets = self.held_buckets();
        self.retry.due = None;
        self.retry.known = Some((Instant::now(), buckets.clone()));
        if buckets.is_empty() {
            return Ok(());
        }
        let client = self.relay.pool.get().await?;
        let due = parked::next_due(&client, &self.relay.config.name, &buckets).await?;
        self.retry.due =
            due.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.max(0.0)));
        Ok(())
    }

    /// Counts what waits and what died, for metrics and status.
    pub(super) async fn count_parked(&self, client: &Client) -> Result<(), Error> {
        let name = &self.relay.config.name;
        let counts = parked::count(client, name, &self.held_buckets()).await?;
        self.relay.metrics.waiting(counts);
        self.relay.status.parked(counts);
        Ok(())
    }

    fn held_buckets(&self) -> Vec<i32> {
        let mut buckets: Vec<i32> =
            self.leases.lanes().into_iter().flat_map(|lane| lane.buckets).collect();
        buckets.sort_unstable();
        buckets
    }

    /// Tries a chunk of the parked rows that are due in each lane; returns how
    /// many were published.
    pub(super) async fn retry_parked(&mut self, stop: &CancellationToken) -> Result<usize, Error> {
        let mut published = 0;
        // Whether a row waits is read with it, so none may be on its way.
        self.settle_all(stop).await?;
        self.take_over_producers(stop).await?;
        for lane in self.leases.lanes() {
            if stop.is_cancelled() {
                return Ok(published);
            }
            if !self.leases.valid() {
                self.renew(stop).await?;
                return Ok(published);
            }
            if !self.leases.holds(&lane) {
                // Lost while the one before it was under way.
                continue;
            }
            published += self.retry_chunk(&lane, stop).await?;
        }
        self.look_at_parked().await?;
        Ok(published)
    }

    async fn retry_chunk(&mut self, lane: &Lane, stop: &CancellationToken) -> Result<usize, Error> {
        let Some(mut client) = self.connection(stop).await? else { return Ok(0) };
        let mut filling = self.retry.size.begin();
        let mut chunk = self.source.parked(&client, lane, filling.limit()).await?;
        let mut in_flight = InFlight::default();
        let (mut rows, mut ids, mut oldest) = (Vec::new(), Vec::new(), None);
        let mut full = false;
        let started = Instant::now();
        while let Some(row) = chunk.next().await? {
            full = self.publisher.send(&row, &mut in_flight).await? != Taken::Yes;
            if full {
                break;
            }
            rows.push((row.position(), row.key().map(str::to_owned)));
            if self.source.retires() {
                ids.push(RowId::of(&row));
            }
            oldest = older(oldest, row.age_seconds());
            full = filling.add(row.bytes());
            if full {
                break;
            }
        }
        drop(chunk);
        if rows.is_empty() {
            let same_row = self.source.same_row();
            parked::forget_deleted(&mut client, &self.relay.config, &lane.buckets, same_row)
                .await?;
            return Ok(0);
        }
        let much_is_left = self.retry.size.ended(&filling);
        leave(client, full && much_is_left);
        let Some(unpublished) = self.unpublished(in_flight, stop).await? else {
            self.retry.size.refused(rows.len());
            return Ok(0);
        };
        let published = rows.len() - unpublished.len();
        let settlement = self.source.settlement(&self.relay.config, unpublished, rows, &ids);
        if !full {
            self.retry.size.passed(settlement.refused_any());
        }
        // The cursor stays where it is; storing it shows that the lease still holds.
        self.leases.advance(lane, &lane.cursor, Some(&settlement)).await?;
        settlement.log();
        let latency = oldest.map(|age| age + started.elapsed().as_secs_f64());
        self.relay.metrics.published(published, settlement.dead(), latency);
        self.relay.metrics.retried(published);
        self.relay.status.published(published);
        Ok(published)
    }
}
