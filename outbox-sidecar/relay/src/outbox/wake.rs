//! Pokes: that rows of an outbox are waiting.
//!
//! A poke reaches the sidecar that it is sent to, which may not hold the bucket of
//! the row. So it is passed on through the database to the other sidecars, which
//! listen, but no more often than every [`PAUSE`]: a `NOTIFY` takes a lock of the
//! whole instance at its commit. It stays a hint. What gets lost is found by the
//! poll, and nothing here is ever an error of publishing.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use futures::{StreamExt as _, stream::poll_fn};
use outbox_sidecar_core::{backoff::Backoff, config};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, types::Type};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    database::{self, CONNECT_TIMEOUT},
    error::{Error, chain},
    status::OutboxStatus,
};

/// The name that all sidecars of a database listen to.
const CHANNEL: &str = "outbox_sidecar_wake";

/// Between two notifications of an outbox.
const PAUSE: Duration = Duration::from_millis(20);

/// Between attempts to listen.
const RECONNECT: Backoff =
    Backoff { initial: Duration::from_millis(100), maximum: Duration::from_secs(5) };

/// A poke for one outbox; clones share it.
#[derive(Clone, Default)]
pub struct Wake {
    here: Arc<Notify>,
    elsewhere: Arc<Notify>,
}

impl Wake {
    /// Rows are waiting, in whichever bucket.
    pub fn poke(&self) {
        self.here.notify_one();
        self.elsewhere.notify_one();
    }

    /// Waits for a poke. Many of them are one.
    pub async fn poked(&self) {
        self.here.notified().await;
    }
}

/// An outbox whose pokes are passed on.
pub struct Poked {
    /// Its name.
    pub outbox: String,
    /// Its number of buckets.
    pub buckets: u16,
    /// Its pokes.
    pub wake: Wake,
    /// Says how many buckets are held here.
    pub status: OutboxStatus,
}

/// Passes pokes between the sidecars of a database, until told to stop.
pub struct Neighbours {
    /// Tells this sidecar's notifications from others'.
    id: Uuid,
    outboxes: Vec<Poked>,
}

impl Neighbours {
    /// For these outboxes.
    pub fn new(outboxes: Vec<Poked>) -> Self {
        Self { id: Uuid::new_v4(), outboxes }
    }

    /// Passes on and listens until told to stop.
    pub async fn run(&self, pool: &Pool, config: &config::Database, stop: &CancellationToken) {
        let tell =
            futures::future::join_all(self.outboxes.iter().map(|outbox| self.tell(outbox, pool)));
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tell => {}
            () = self.hear(config) => {}
        }
    }

    /// Passes on what this sidecar may not be able to publish by itself.
    async fn tell(&self, outbox: &Poked, pool: &Pool) {
        loop {
            outbox.wake.elsewhere.notified().await;
            if outbox.status.leased_buckets() == usize::from(outbox.buckets) {
                continue;
            }
            let payload = format!("{} {}", self.id, outbox.outbox);
            if let Err(error) = notify(pool, &payload).await {
                tracing::debug!(error = chain(&error), "could not pass a poke on");
            }
            sleep(PAUSE).await;
        }
    }

    /// Hears the others, over one connection that is made anew whenever it ends.
    async fn hear(&self, config: &config::Database) {
        let mut failures = 0;
        loop {
            let error = match self.listen(config, &mut failures).await {
                Ok(()) => "the connection was closed".to_owned(),
                Err(error) => chain(&error),
            };
            failures += 1;
            tracing::debug!(
                error,
                failures,
                "not listening for pokes of other sidecars; polling meanwhile"
            );
            sleep(RECONNECT.delay(failures, Uuid::new_v4().as_u64_pair().0)).await;
        }
    }

    async fn listen(&self, config: &config::Database, failures: &mut u32) -> Result<(), Error> {
        let (settings, tls) = database::settings(config)?;
        let failed = Error::database("listen for pokes of other sidecars");
        let (client, mut connection) = settings.connect(tls).await.map_err(&failed)?;
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        let statement = format!("LISTEN {CHANNEL}");
        let listening = timeout(CONNECT_TIMEOUT, client.batch_execute(&statement));
        tokio::pin!(listening);
        // The connection is driven by reading its messages.
        let mut ready = false;
        loop {
            tokio::select! {
                done = &mut listening, if !ready => {
                    done.map_err(|_| Error::Ended("waiting for LISTEN"))?.map_err(&failed)?;
                    (ready, *failures) = (true, 0);
                    // What was said meanwhile is lost.
                    self.outboxes.iter().for_each(|outbox| outbox.wake.here.notify_one());
                }
                message = messages.next() => match message {
                    None => return Ok(()),
                    Some(Err(error)) => return Err(failed(error)),
                    Some(Ok(AsyncMessage::Notification(said))) => self.heard(said.payload()),
                    Some(Ok(_)) => {}
                },
            }
        }
    }

    fn heard(&self, payload: &str) {
        let Some((id, name)) = payload.split_once(' ') else { return };
        if id.parse() == Ok(self.id) {
            return;
        }
        for outbox in self.outboxes.iter().filter(|outbox| outbox.outbox == name) {
            outbox.wake.here.notify_one();
        }
    }
}

async fn notify(pool: &Pool, payload: &str) -> Result<(), Error> {
    let client = pool.get().await?;
    client
        .query_typed("SELECT pg_notify($1, $2)", &[(&CHANNEL, Type::TEXT), (&payload, Type::TEXT)])
        .await
        .map_err(Error::database("pass a poke on"))?;
    Ok(())
}
