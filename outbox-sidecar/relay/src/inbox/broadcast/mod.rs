//! Without a table: what comes while the sidecar runs goes to the application, in
//! order per partition, and to every sidecar alike. No group is joined, nothing is
//! stored or committed. An application that is away does not hold up the feed: what
//! it has not taken in time is dropped and counted.
//!
//! - [`partitions`]: which there are, and where each is read on.
//! - [`run`]: reading, and giving what was read to the application.

mod partitions;
mod run;

use std::sync::Arc;

use outbox_sidecar_core::{
    config::{self, Broadcast},
    delivery::BatchLimit,
    event::InboxMessage,
    live_feed::{Bounds, LiveFeed},
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::{partitions::Positions, run::Run};
use super::{
    consumer,
    deliver::{MAXIMUM_QUEUED, MAXIMUM_QUEUED_BYTES, MAXIMUM_REQUEST_BYTES},
    endpoint::Endpoint,
    http::Clients,
};
use crate::{error::Error, kafka::topics::TopicMaker, metrics::InboxMetrics, status::InboxStatus};

/// Everything one feed needs; it can be run again after an error, and then goes on
/// where it was.
pub struct BroadcastRelay {
    config: Broadcast,
    kafka: config::Kafka,
    topics: Arc<TopicMaker>,
    endpoint: Endpoint,
    metrics: InboxMetrics,
    status: InboxStatus,
    state: Mutex<State>,
}

struct State {
    feed: LiveFeed<InboxMessage>,
    positions: Positions,
}

impl BroadcastRelay {
    /// A feed that has not begun.
    pub fn new(
        config: Broadcast,
        kafka: config::Kafka,
        topics: Arc<TopicMaker>,
        http: &Clients,
        metrics: InboxMetrics,
        status: InboxStatus,
    ) -> Self {
        let requests = &config.deliver.requests;
        let feed = LiveFeed::new(
            Bounds {
                messages: MAXIMUM_QUEUED,
                bytes: MAXIMUM_QUEUED_BYTES,
                age: config.deliver.give_up_after.get(),
            },
            BatchLimit { messages: usize::from(requests.batch), bytes: MAXIMUM_REQUEST_BYTES },
            requests.backoff(),
        );
        let endpoint = Endpoint::new(http.clone(), requests);
        let state = Mutex::new(State { feed, positions: Positions::default() });
        Self { config, kafka, topics, endpoint, metrics, status, state }
    }

    /// Reads and delivers until told to stop. A stop finishes the requests under way.
    ///
    /// # Errors
    /// Whatever made it impossible to go on. To be called again after a wait.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        let mut state = self.state.lock().await;
        self.topics.ensure(self.config.topics.iter().map(String::as_str)).await?;
        let consumer = Arc::new(consumer::unattached(&self.kafka, self.metrics.clone())?);
        let mut run = Run::new(self, Arc::clone(&consumer), &mut state);
        let result = run.repeat(stop).await;
        run.finish().await;
        self.status.owned(0);
        if result.is_err() {
            self.topics.forget();
        }
        // Closing blocks: not on this thread.
        let closed = tokio::task::spawn_blocking(move || drop(consumer));
        if closed.await.is_err() {
            return Err(Error::Ended("closing the Kafka consumer"));
        }
        result
    }
}
