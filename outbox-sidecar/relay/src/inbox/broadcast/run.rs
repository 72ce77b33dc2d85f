//! One run of a feed.

use std::{
    collections::HashMap,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use outbox_sidecar_core::{
    delivery::Outcome,
    event::{self, InboxMessage},
    failure::Class,
    live_feed::LiveBatch,
};
use rdkafka::{
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
    topic_partition_list::TopicPartitionList,
};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{BroadcastRelay, State, partitions::Found};
use crate::{
    error::{Error, chain, kafka_class},
    inbox::{
        consumer::{self, Context, memory},
        deliver::{far_off, jitter},
        endpoint::Refusal,
    },
};

/// How often new partitions are looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Messages taken from the consumer at a time.
const READ: usize = 500;

pub(super) struct Run<'a> {
    relay: &'a BroadcastRelay,
    consumer: Arc<StreamConsumer<Context>>,
    state: &'a mut State,
    in_flight: FuturesUnordered<BoxFuture<'static, Delivered>>,
    /// Messages dropped since the application last took some.
    dropped: usize,
    /// Whether looking for partitions failed the last time.
    brokers_away: bool,
    /// Topics that are said to be missing.
    missing: Vec<String>,
}

struct Delivered {
    batch: LiveBatch<InboxMessage>,
    answer: Result<HashMap<Uuid, Outcome>, Refusal>,
    took: Duration,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        relay: &'a BroadcastRelay,
        consumer: Arc<StreamConsumer<Context>>,
        state: &'a mut State,
    ) -> Self {
        let in_flight = FuturesUnordered::new();
        Self {
            relay,
            consumer,
            state,
            in_flight,
            dropped: 0,
            brokers_away: false,
            missing: Vec::new(),
        }
    }

    pub(super) async fn repeat(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let known = self.state.positions.all()?;
        self.assign(&known)?;
        let found = self.look().await?;
        self.know(found)?;
        self.relay.status.recovered();
        let mut look = interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.reset();
        let consumer = Arc::clone(&self.consumer);
        let mut looking: Option<BoxFuture<'static, Result<Found, Error>>> = None;
        loop {
            self.dispatch();
            let wakeup = self.state.feed.next_wakeup(self.may_send());
            let found = async {
                match &mut looking {
                    Some(looking) => looking.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(delivered) = self.in_flight.next() => self.settle(delivered),
                found = found => {
                    looking = None;
                    self.seen(found)?;
                }
                _ = look.tick() => {
                    if looking.is_none() {
                        looking = Some(self.look());
                    }
                }
                () = sleep_until(wakeup.unwrap_or_else(far_off).into()), if wakeup.is_some() => {}
                message = consumer.recv() => self.take(message)?,
            }
            self.state.feed.expire(Instant::now());
            self.report();
        }
    }

    /// Waits for the requests under way.
    pub(super) async fn finish(&mut self) {
        while let Some(delivered) = self.in_flight.next().await {
            self.settle(delivered);
        }
        self.report();
    }

    fn may_send(&self) -> bool {
        self.in_flight.len() < usize::from(self.relay.config.deliver.requests.concurrency)
    }

    fn look(&self) -> BoxFuture<'static, Result<Found, Error>> {
        let topics = self.relay.config.topics.clone();
        self.state.positions.look(Arc::clone(&self.consumer), topics).boxed()
    }

    /// Being unable to look does not end the reading, which the client itself resumes.
    fn seen(&mut self, found: Result<Found, Error>) -> Result<(), Error> {
        let inbox = &self.relay.config.name;
        match found {
            Ok(found) => {
                if std::mem::take(&mut self.brokers_away) {
                    self.relay.status.recovered();
                    tracing::info!(inbox, "the brokers answer again");
                }
                self.know(found)
            }
            Err(error) => {
                let problem = chain(&error);
                self.relay.status.waiting(&format!("the brokers: {problem}"));
                if !std::mem::replace(&mut self.brokers_away, true) {
                    tracing::warn!(
                        inbox,
                        error = problem,
                        "cannot look for partitions; reading goes on when the brokers are back"
                    );
                }
                Ok(())
            }
        }
    }

    fn know(&mut self, mut found: Found) -> Result<(), Error> {
        let inbox = &self.relay.config.name;
        let missing = std::mem::take(&mut found.missing);
        let news: Vec<_> =
            missing.iter().filter(|topic| !self.missing.contains(topic)).cloned().collect();
        if !news.is_empty() {
            tracing::warn!(
                inbox,
                topics = news.join(", "),
                "topics do not exist; waiting for them"
            );
        }
        self.missing = missing;
        let new = self.state.positions.add(found)?;
        if new.count() > 0 {
            self.assign(&new)?;
            tracing::info!(inbox, partitions = self.state.positions.len(), "reading partitions");
        }
        self.relay.status.owned(self.state.positions.len());
        Ok(())
    }

    fn assign(&self, partitions: &TopicPartitionList) -> Result<(), Error> {
        if partitions.count() == 0 {
            return Ok(());
        }
        self.consumer.incremental_assign(partitions).map_err(Error::kafka("assign partitions"))
    }

    /// The message and those that have arrived with it.
    fn take(&mut self, first: Result<BorrowedMessage<'_>, KafkaError>) -> Result<(), Error> {
        let consumer = Arc::clone(&self.consumer);
        let (mut next, mut taken) = (Some(first), 0);
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    self.push(consumer::inbox_message(&message));
                    taken += 1;
                }
                Err(error) => self.bear(error)?,
            }
            next = if taken < READ { consumer.recv().now_or_never() } else { None };
        }
        if taken > 0 {
            consumer.context().health.reached();
            self.relay.metrics.received(taken, 0);
        }
        Ok(())
    }

    fn push(&mut self, mut message: InboxMessage) {
        self.state.positions.passed(&message.topic, message.partition, message.offset);
        // It is ours to say.
        message.headers.remove(event::GAP);
        let topics = &self.relay.config.topics;
        if let Some(partition) = consumer::partition(topics, &message.topic, message.partition) {
            let bytes = memory(&message);
            self.state.feed.push(partition, message, bytes, Instant::now());
        }
    }

    /// Passes over what the client itself retries, and what concerns only a group.
    fn bear(&self, error: KafkaError) -> Result<(), Error> {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let passing = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::GroupAuthorizationFailed
            )
        );
        if fatal || !passing && kafka_class(&error) != Class::Outage {
            return Err(Error::kafka("receive messages")(error));
        }
        tracing::debug!(inbox = self.relay.config.name, error = %error, "kafka consumer error");
        Ok(())
    }

    fn dispatch(&mut self) {
        while self.may_send() {
            let Some(mut batch) = self.state.feed.next_batch(Instant::now()) else { return };
            if let (Some(gap), Some(first)) = (batch.gap, batch.entries.front_mut()) {
                first.message.headers.insert(event::GAP.to_owned(), gap.label().to_owned());
            }
            let endpoint = self.relay.endpoint.clone();
            let request = async move {
                let started = Instant::now();
                let messages = batch.entries.iter().map(|entry| &entry.message);
                let answer = endpoint.deliver(messages, false).await;
                Delivered { batch, answer, took: started.elapsed() }
            };
            self.in_flight.push(request.boxed());
        }
    }

    fn settle(&mut self, delivered: Delivered) {
        let Delivered { batch, answer, took } = delivered;
        let inbox = &self.relay.config.name;
        let failed = answer.as_ref().err().map(Refusal::outcome);
        match &answer {
            Ok(_) => {
                // What the brokers are waited for, they end.
                if !self.brokers_away && self.relay.status.recovered() {
                    let dropped = std::mem::take(&mut self.dropped);
                    tracing::info!(inbox, dropped, "the application takes messages again");
                }
            }
            Err(refusal) => {
                let problem = refusal.problem();
                if self
                    .relay
                    .status
                    .waiting(&format!("the application to take messages: {problem}"))
                {
                    tracing::warn!(
                        inbox,
                        error = problem,
                        "the application does not take messages; retrying for a while"
                    );
                }
            }
        }
        let outcomes = answer.unwrap_or_default();
        let outcome =
            |message: &InboxMessage| failed.clone().or_else(|| outcomes.get(&message.id).cloned());
        let completed = self.state.feed.complete(batch, outcome, Instant::now(), jitter());
        let rejected = completed.rejected.len();
        if let Some(reason) = completed.rejected.first() {
            tracing::warn!(inbox, messages = rejected, reason, "the application rejects messages");
            self.relay.metrics.dropped("rejected", rejected);
            self.relay.status.dropped(rejected);
        }
        self.relay.metrics.delivered(completed.taken, rejected, completed.retried, took);
    }

    fn report(&mut self) {
        let feed = &mut self.state.feed;
        let dropped = feed.take_dropped();
        for (reason, messages) in [("expired", dropped.expired), ("overflow", dropped.overflow)] {
            if messages == 0 {
                continue;
            }
            if self.dropped == 0 {
                let inbox = &self.relay.config.name;
                tracing::warn!(inbox, reason, "messages the application does not take are dropped");
            }
            self.dropped += messages;
            self.relay.metrics.dropped(reason, messages);
            self.relay.status.dropped(messages);
        }
        self.relay.metrics.queue(feed.len(), feed.bytes(), feed.parked());
        self.relay.status.queue(feed.len(), feed.in_flight(), feed.parked());
    }
}
