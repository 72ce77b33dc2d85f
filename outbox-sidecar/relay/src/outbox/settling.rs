//! What follows when the broker or the database has answered for what is under way.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    producers::Begun,
    publisher::Acknowledged,
    relay::Pass,
    settlement::UnpublishedRow,
    under_way::{Committed, Facts, Published, Sent, StoreTime, Stored},
};
use crate::error::Error;

impl Pass<'_> {
    /// Waits until nothing is under way.
    pub(super) async fn settle_all(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        while !self.under_way.is_empty() {
            self.under_way.hurry();
            self.settle_some(stop).await?;
        }
        Ok(())
    }

    /// Waits until something under way has moved, as long as it takes, and follows it up.
    pub(super) async fn settle_some(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut under_way = std::mem::take(&mut self.under_way);
        let moved = async {
            under_way.moved().await;
            Ok(())
        };
        let moved = self.keeping_leases(moved, stop).await;
        self.under_way = under_way;
        moved?;
        self.follow_up(stop).await
    }

    /// Goes on with what has moved, without waiting for the rest.
    pub(super) async fn follow_up(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        if let Some(Stored { published, time }) = self.under_way.take_stored() {
            self.leases.stored(&published.lane, &published.cursor, time?.asked_at);
            self.highest = self.highest.max(published.last);
        }
        if let Some(Committed { chunks, result }) = self.under_way.take_committed() {
            result?;
            self.published(chunks);
        }
        if self.under_way.has_failed() {
            if self.under_way.are_stored() {
                return self.start_over(stop).await;
            }
        } else {
            self.follow_acknowledged(stop).await?;
        }
        if let Some(published) = self.under_way.take_due() {
            self.store(published);
        }
        Ok(())
    }

    async fn follow_acknowledged(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut chunks = self.under_way.take_acknowledged();
        let Some(last) = chunks.last() else { return Ok(()) };
        self.publisher.reached();
        if last.in_flight.lacks_rows() {
            // It stands alone.
            for chunk in chunks {
                self.settle_acknowledged(chunk, stop).await?;
            }
            return Ok(());
        }
        // Of a transactional chunk at most: one with rows has none but empty ones beside it.
        let begun: Begun =
            chunks.iter_mut().flat_map(|chunk| chunk.in_flight.take_begun()).collect();
        if begun.is_empty() {
            self.published(chunks);
        } else {
            let publisher = self.publisher.clone();
            let task = tokio::spawn(async move { publisher.commit(begun).await });
            self.under_way.commits(chunks, task);
        }
        Ok(())
    }

    /// Consumers can see these chunks.
    fn published(&mut self, chunks: Vec<Sent>) {
        for facts in chunks.iter().map(|chunk| chunk.facts) {
            if !facts.full {
                self.size.passed(false);
            }
            self.tell(facts, facts.rows, 0);
        }
        // Chunks may go behind each other again.
        self.cautious = false;
        // Rows that are still to be retired are left out one by one when the next are read.
        let enough = if self.source.retires() { 0 } else { self.size.bytes() };
        self.under_way.publishes(chunks, enough);
    }

    /// Sends the cursor of what is published to the database.
    fn store(&mut self, published: Published) {
        let retire = self.source.retire();
        let retiring = retire.map(|retire| (Arc::clone(retire), published.ids.clone()));
        let store = self.leases.store(&published.lane, &published.cursor, retiring);
        let task = tokio::spawn(async move {
            let asked_at = store.await?;
            Ok(StoreTime { asked_at, took: asked_at.elapsed() })
        });
        self.under_way.stores(published, task);
    }

    /// Tells of a chunk.
    fn tell(&self, facts: Facts, published: usize, dead: usize) {
        let oldest = facts.oldest.map(|age| age + facts.started.elapsed().as_secs_f64());
        self.relay.metrics.published(published, dead, oldest);
        self.relay.status.published(published);
    }

    async fn settle_acknowledged(
        &mut self,
        mut chunk: Sent,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let publisher = self.publisher.clone();
        let answer = self.keeping_leases(chunk.in_flight.acknowledged(&publisher), stop).await?;
        let (Acknowledged::All(unpublished) | Acknowledged::Alone(unpublished)) = answer else {
            return Ok(());
        };
        self.settle(chunk, unpublished).await
    }

    /// Stores what becomes of a chunk, of which these rows are not published. Nothing of its
    /// buckets may be under way behind it.
    async fn settle(&mut self, chunk: Sent, unpublished: Vec<UnpublishedRow>) -> Result<(), Error> {
        let Sent { lane, cursor, facts, ids, .. } = chunk;
        let published = facts.rows - unpublished.len();
        let settlement = self.source.settlement(&self.relay.config, unpublished, Vec::new(), &ids);
        if !facts.full {
            self.size.passed(settlement.refused_any());
        }
        self.leases.advance(&lane, &cursor, Some(&settlement)).await?;
        settlement.log();
        let dead = settlement.dead();
        if settlement.concerns_parked() {
            self.look_at_parked().await?;
        }
        self.highest = self.highest.max(facts.last);
        self.tell(facts, published, dead);
        self.cautious = false;
        Ok(())
    }

    /// A chunk has failed: it and those behind it are to be read again, unless a single row
    /// is to blame.
    async fn start_over(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        // The rest is not to be sent any more; it fails at once.
        self.publisher.abandon();
        let mut chunks = std::mem::take(&mut self.under_way.chunks);
        let answered = async {
            for chunk in &chunks {
                chunk.in_flight.tally().complete().await;
            }
            Ok(())
        };
        self.keeping_leases(answered, stop).await?;
        while let Some(chunk) = chunks.pop_front_if(|chunk| !chunk.in_flight.has_failed()) {
            self.settle_acknowledged(chunk, stop).await?;
        }
        self.leases.rewind();
        (self.cautious, self.look_again) = (true, true);
        let Some(mut first) = chunks.pop_front() else { return Ok(()) };
        // One that was given up for another's failure has none of its own to tell of.
        let has_reason = |chunk: &Sent| chunk.in_flight.tally().failures().are_its_own();
        let to_blame = chunks.iter_mut().find(|chunk| !has_reason(&first) && has_reason(chunk));
        let (verdict, rows) = match to_blame {
            Some(behind) => {
                let verdict = behind.in_flight.verdict(&self.publisher);
                (verdict.map(|_| Acknowledged::Refused), behind.facts.rows)
            }
            None => (first.in_flight.verdict(&self.publisher), first.facts.rows),
        };
        let acknowledged = verdict?;
        self.publisher.start_anew(&first.in_flight.take_begun())?;
        self.take_over_producers(stop).await?;
        match acknowledged {
            Acknowledged::All(unpublished) | Acknowledged::Alone(unpublished) => {
                self.settle(first, unpublished).await
            }
            Acknowledged::Refused => {
                self.size.refused(rows);
                tracing::warn!(
                    outbox = self.relay.config.name,
                    rows,
                    next = self.size.rows(),
                    "the broker refused a batch; trying fewer rows at a time"
                );
                Ok(())
            }
        }
    }
}
