//! Leases taken, kept and given back, by what the core plans.

use std::{collections::BTreeMap, time::Instant};

use outbox_sidecar_core::{
    lease::{Lease, plan},
    share::share_out,
    status::LeaseReport,
};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::{Held, Leases, SHORTEST_PAUSE, statements};
use crate::error::Error;

impl Leases {
    /// Keeps the leases held, and takes those of this relay's share that are free.
    /// Returns how many are held now. Gives none away, so that it can be called
    /// while rows are under way to the broker; see [`hand_back`](Self::hand_back).
    ///
    /// # Errors
    /// The database is away, or a stored cursor is damaged. After an error the
    /// leases held before are still held, as long as [`valid`](Self::valid) says.
    pub async fn acquire(&mut self) -> Result<usize, Error> {
        let asked_at = Instant::now();
        let held_before = self.held.len();
        let leases = self.renew().await?;
        self.valid_until = asked_at + self.duration;
        self.plan = plan(self.owner, &self.shares, &leases);
        if !self.plan.take.is_empty() {
            self.take().await?;
        }
        self.pause = if self.plan.awaited.is_empty() {
            SHORTEST_PAUSE
        } else {
            (self.pause * 2).min(self.duration / 3)
        };
        self.due =
            asked_at + if self.plan.awaited.is_empty() { self.duration / 3 } else { self.pause };
        if self.held.len() != held_before {
            tracing::info!(
                outbox = self.outbox,
                buckets = self.held.len(),
                relays = self.members.len(),
                "holding bucket leases"
            );
        }
        Ok(self.held.len())
    }

    /// Says that this relay lives and keeps what it holds; looks at all leases.
    async fn renew(&mut self) -> Result<Vec<Lease>, Error> {
        let client = self.pool.get().await?;
        let rows = client
            .query_typed(
                statements::RENEW,
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.owner, Type::UUID),
                    (&self.duration_millis(), Type::FLOAT8),
                ],
            )
            .await
            .map_err(Error::database("renew bucket leases"))?;
        drop(client);
        let others = rows.first().and_then(|row| row.get::<_, Option<Vec<Uuid>>>("relays"));
        let members = others.into_iter().flatten().chain([self.owner]).collect();
        if members != self.members {
            self.shares = share_out(self.buckets, &members);
            self.members = members;
        }
        let mut leases = Vec::new();
        let mut held = BTreeMap::new();
        self.seen.clear();
        for row in &rows {
            let (bucket, epoch): (i32, i64) = (row.get("bucket"), row.get("epoch"));
            let renewed = row.get("renewed");
            // Another relay may have taken it since the statement began.
            let owner =
                row.get::<_, Option<Uuid>>("owner").filter(|owner| renewed || *owner != self.owner);
            let expires_at = row.get("expires_at");
            self.seen.push(LeaseReport { bucket, owner, epoch, expires_at });
            leases.push(Lease { bucket, owner, epoch, expired: !renewed && row.get("expired") });
            if renewed {
                let of_bucket = match self.held.remove(&bucket) {
                    // The cursors in memory may be ahead: empty windows are not stored.
                    Some(known) if known.epoch == epoch => known,
                    _ => Held::at(epoch, self.stored_cursor(row)?),
                };
                held.insert(bucket, of_bucket);
            }
        }
        for bucket in self.held.keys() {
            self.lost += 1;
            tracing::warn!(
                outbox = self.outbox,
                bucket,
                "lost the lease of a bucket to another relay"
            );
        }
        self.held = held;
        Ok(leases)
    }

    /// Takes what the plan says, unless another relay was faster.
    async fn take(&mut self) -> Result<(), Error> {
        let client = self.pool.get().await?;
        let rows = client
            .query_typed(
                statements::TAKE,
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.owner, Type::UUID),
                    (&self.duration_millis(), Type::FLOAT8),
                    (&self.plan.take, Type::INT4_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("take bucket leases"))?;
        for row in &rows {
            let cursor = self.stored_cursor(row)?;
            let (bucket, epoch) = (row.get("bucket"), row.get("epoch"));
            self.held.insert(bucket, Held::at(epoch, cursor));
            let expires_at = row.get("expires_at");
            self.saw(LeaseReport { bucket, owner: Some(self.owner), epoch, expires_at });
        }
        Ok(())
    }

    /// Gives back the buckets of other relays' shares, which can take them at once.
    /// To be called when nothing of them is under way and their cursors are stored.
    ///
    /// # Errors
    /// The database is away; they are given back at the next call.
    pub async fn hand_back(&mut self) -> Result<(), Error> {
        let buckets = std::mem::take(&mut self.plan.hand_back);
        if buckets.is_empty() {
            return Ok(());
        }
        // Not held any more, whatever becomes of the statement.
        for bucket in &buckets {
            if let Some(Held { epoch, .. }) = self.held.remove(bucket) {
                self.saw(LeaseReport { bucket: *bucket, owner: None, epoch, expires_at: None });
            }
        }
        let client = self.pool.get().await?;
        client
            .execute_typed(
                statements::HAND_BACK,
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.owner, Type::UUID),
                    (&buckets, Type::INT4_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("give bucket leases to another relay"))?;
        tracing::info!(
            outbox = self.outbox,
            ?buckets,
            relays = self.members.len(),
            "gave bucket leases to other relays"
        );
        Ok(())
    }

    fn saw(&mut self, lease: LeaseReport) {
        if let Some(seen) = self.seen.iter_mut().find(|seen| seen.bucket == lease.bucket) {
            *seen = lease;
        }
    }
}
