//! From Kafka into the table, then to the delivery.

use std::{collections::HashMap, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use futures::FutureExt as _;
use outbox_sidecar_core::{
    config,
    delivery::{Partition, Pending},
    event::InboxMessage,
    failure::Class,
};
use rdkafka::{
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    topic_partition_list::{Offset, TopicPartitionList},
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    consumer::{self, Context, Ownership, memory},
    dead::DeadLetters,
    deliver::{Delivery, Fill, Work},
    http::Clients,
    store::{Store, StoredMessage},
};
use crate::{
    database::table::check_inbox,
    error::{Error, kafka_class},
    kafka::topics::TopicMaker,
    metrics::InboxMetrics,
    status::InboxStatus,
};

/// Messages per insert.
const BATCH: usize = 500;

/// Bytes per insert; one larger message still goes, alone.
const BATCH_BYTES: usize = 4 << 20;

/// How often a full queue or a backlog is looked at again.
const CATCH_UP_INTERVAL: Duration = Duration::from_millis(20);

/// How often dead letters sent on their way again are looked for.
const REDRIVE_INTERVAL: Duration = Duration::from_secs(5);

/// How often dead letters are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(15);

/// Everything one inbox needs; it can be run again after an error.
pub struct InboxRelay {
    /// The inbox.
    pub config: config::StoredInbox,
    /// How to reach Kafka.
    pub kafka: config::Kafka,
    /// The database.
    pub pool: Pool,
    /// Makes topics.
    pub topics: Arc<TopicMaker>,
    /// The application's end.
    pub http: Clients,
    /// Called when the application has applied something, and so may have
    /// written to its outbox.
    pub applied: Arc<dyn Fn() + Send + Sync>,
    /// What is counted.
    pub metrics: InboxMetrics,
    /// What is told.
    pub status: InboxStatus,
}

impl InboxRelay {
    /// Consumes and delivers until told to stop. A stop takes no more messages,
    /// finishes the deliveries under way and leaves the group.
    ///
    /// # Errors
    /// Whatever made it impossible to go on. To be called again after a wait:
    /// what was stored and not applied is delivered then.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), Error> {
        check_inbox(&self.pool.get().await?, &self.config).await?;
        self.topics.ensure(self.config.topics.iter().map(String::as_str)).await?;
        let store = Arc::new(Store::new(self.pool.clone(), &self.config));
        let (consumer, changes) =
            consumer::subscribe(&self.kafka, &self.config, self.metrics.clone())?;
        // Bounded: a delivery that cannot keep up holds the ingestion back.
        let (work, queue) = mpsc::channel(16);
        let fill = Fill::default();
        let delivery = Delivery::new(self, Arc::clone(&store), fill.clone());
        let ingest = Ingest {
            relay: self,
            store,
            dead: DeadLetters::new(self.pool.clone(), &self.config),
            consumer: &consumer,
            work,
            fill,
            catching_up: HashMap::new(),
            owned: Vec::new(),
            paused: false,
            topic_missing: false,
        };
        // Ending the ingestion closes the channel, which ends the delivery once
        // what is under way is done.
        let result = tokio::try_join!(ingest.repeat(changes, stop), delivery.repeat(queue, stop));
        self.status.owned(0);
        if result.is_err() {
            self.topics.forget();
        }
        // Leaving the group takes a round trip and blocks: not on this thread.
        let left = tokio::task::spawn_blocking(move || drop(consumer));
        if left.await.is_err() {
            return Err(Error::Ended("leaving the consumer group"));
        }
        result.map(|_| ())
    }
}

struct Ingest<'a> {
    relay: &'a InboxRelay,
    store: Arc<Store>,
    dead: DeadLetters,
    consumer: &'a StreamConsumer<Context>,
    work: mpsc::Sender<Work>,
    fill: Fill,
    /// Partitions whose earlier rows are still being loaded, with the last
    /// offset loaded. Messages that arrive meanwhile are stored, and loaded in
    /// their turn.
    catching_up: HashMap<(String, i32), i64>,
    owned: Vec<(String, i32)>,
    paused: bool,
    /// Whether it has been said that a topic is missing.
    topic_missing: bool,
}

impl Ingest<'_> {
    async fn repeat(
        mut self,
        mut changes: mpsc::UnboundedReceiver<Ownership>,
        stop: &CancellationToken,
    ) -> Result<(), Error> {
        let mut catch_up = interval(CATCH_UP_INTERVAL);
        catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut redrive = interval(REDRIVE_INTERVAL);
        redrive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut count = interval(COUNT_INTERVAL);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let counts = self.can_count().await?;
        loop {
            // Consuming goes on while paused: it also serves the group's protocol.
            let busy = self.paused || !self.catching_up.is_empty() || self.fill.is_full();
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                change = changes.recv() => match change {
                    Some(change) => self.own(change).await?,
                    None => return Err(Error::Ended("the Kafka consumer")),
                },
                _ = catch_up.tick(), if busy => {
                    self.adjust_flow()?;
                    self.load_backlogs().await?;
                }
                _ = redrive.tick() => self.redrive().await?,
                _ = count.tick(), if counts => self.count_dead().await?,
                message = self.consumer.recv() => {
                    let batch = self.take(message)?;
                    // A rebalance is told before the first message of its partitions.
                    while let Ok(change) = changes.try_recv() {
                        self.own(change).await?;
                    }
                    self.ingest(batch).await?;
                    self.adjust_flow()?;
                }
            }
        }
        self.consumer.unsubscribe();
        Ok(())
    }

    /// The message and those that have arrived with it.
    fn take(
        &mut self,
        first: Result<rdkafka::message::BorrowedMessage<'_>, KafkaError>,
    ) -> Result<Vec<InboxMessage>, Error> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Ok(message) => {
                    let message = consumer::inbox_message(&message);
                    bytes += memory(&message);
                    batch.push(message);
                }
                Err(error) => self.bear(error)?,
            }
            let room = batch.len() < BATCH && bytes < BATCH_BYTES;
            next = if room { self.consumer.recv().now_or_never() } else { None };
        }
        Ok(batch)
    }

    /// Passes over what the client itself retries.
    fn bear(&mut self, error: KafkaError) -> Result<(), Error> {
        let fatal = matches!(error, KafkaError::MessageConsumptionFatal(_));
        let unknown_topic =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition);
        if unknown_topic && !self.relay.topics.creates() {
            // The other topics go on, and this one's partitions come when it does.
            if !std::mem::replace(&mut self.topic_missing, true) {
                let (inbox, topics) =
                    (&self.relay.config.name, self.relay.config.topics.join(", "));
                tracing::warn!(inbox, topics, "one of the topics does not exist; waiting for it");
            }
            return Ok(());
        }
        if fatal || kafka_class(&error) != Class::Outage {
            return Err(Error::kafka("receive messages")(error));
        }
        tracing::debug!(inbox = self.relay.config.name, error = %error, "kafka consumer error");
        Ok(())
    }

    async fn ingest(&mut self, mut batch: Vec<InboxMessage>) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        self.consumer.context().health.reached();
        let (deliverable, new) = self.store.insert(&batch).await?;
        self.relay.metrics.received(new, batch.len() - new);
        let mut offsets: HashMap<(&str, i32), i64> = HashMap::new();
        for message in &batch {
            offsets.insert((&message.topic, message.partition), message.offset + 1);
        }
        self.store_offsets(&offsets)?;
        batch.retain(|message| {
            let partition = (message.topic.clone(), message.partition);
            // Lost meanwhile, with what the queue held of it: delivering only its
            // later messages would break their order.
            deliverable.contains(&message.id)
                && self.owned.contains(&partition)
                && self.catching_up.get(&partition).is_none_or(|after| message.offset <= *after)
        });
        let pending = batch
            .into_iter()
            .filter_map(|message| self.pending(StoredMessage::new(message)))
            .collect();
        self.hand_over(Work::Messages(pending)).await
    }

    fn store_offsets(&self, offsets: &HashMap<(&str, i32), i64>) -> Result<(), Error> {
        let action = "store offsets";
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in offsets {
            // Offsets of a partition lost meanwhile are the new owner's to commit.
            if self.owned.iter().any(|(name, number)| name == topic && number == partition) {
                list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                    .map_err(Error::kafka(action))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        match self.consumer.store_offsets(&list) {
            // A rebalance under way: the next owner reads these again.
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::State) => Ok(()),
            result => result.map_err(Error::kafka(action)),
        }
    }

    async fn own(&mut self, change: Ownership) -> Result<(), Error> {
        match change {
            Ownership::Assigned(partitions) => {
                for partition in partitions {
                    self.catching_up.insert(partition.clone(), -1);
                    self.owned.retain(|owned| *owned != partition);
                    self.owned.push(partition);
                }
                self.relay.status.recovered();
                // New partitions must not be fetched while the others are paused.
                self.set_flow(self.paused)?;
                self.load_backlogs().await?;
            }
            Ownership::Revoked(partitions) => {
                self.owned.retain(|owned| !partitions.contains(owned));
                for partition in &partitions {
                    self.catching_up.remove(partition);
                    self.relay.metrics.lost(&partition.0, partition.1);
                }
                let partitions =
                    partitions.iter().filter_map(|(topic, number)| self.partition(topic, *number));
                let revoked = Work::Revoked(partitions.collect());
                self.hand_over(revoked).await?;
            }
        }
        tracing::info!(
            inbox = self.relay.config.name,
            partitions = self.owned.len(),
            "owning partitions"
        );
        self.relay.status.owned(self.owned.len());
        Ok(())
    }

    /// Loads the next page of each partition that has rows from before.
    async fn load_backlogs(&mut self) -> Result<(), Error> {
        let partitions: Vec<_> =
            self.catching_up.iter().map(|(partition, after)| (partition.clone(), *after)).collect();
        for (partition, after) in partitions {
            if self.fill.is_full() {
                return Ok(());
            }
            let page = self.store.pending(&partition.0, partition.1, after).await?;
            match page.last() {
                Some(last) => self.catching_up.insert(partition, last.message.offset),
                None => self.catching_up.remove(&partition),
            };
            let pending = page.into_iter().filter_map(|stored| self.pending(stored)).collect();
            self.hand_over(Work::Messages(pending)).await?;
        }
        Ok(())
    }

    /// Delivers dead letters that somebody sent on their way again.
    async fn redrive(&mut self) -> Result<(), Error> {
        if self.owned.is_empty() || self.fill.is_full() {
            return Ok(());
        }
        let Some(page) = self.dead.redriven(&self.owned).await? else { return Ok(()) };
        let ids: Vec<Uuid> = page.iter().map(|stored| stored.message.id).collect();
        if !ids.is_empty() {
            let (inbox, messages) = (&self.relay.config.name, ids.len());
            tracing::info!(inbox, messages, "delivering dead letters again");
        }
        let pending = page.into_iter().filter_map(|stored| self.pending(stored)).collect();
        self.hand_over(Work::Messages(pending)).await?;
        self.dead.taken(&self.owned, &ids).await?;
        self.relay.metrics.redriven(ids.len());
        Ok(())
    }

    /// Whether dead letters can be counted at a bearable price.
    async fn can_count(&self) -> Result<bool, Error> {
        let indexed = self.dead.indexed().await?;
        if !indexed {
            let (inbox, table) = (&self.relay.config.name, self.relay.config.table.quoted());
            tracing::warn!(
                inbox,
                "dead letters are not counted, for want of an index: CREATE INDEX ON {table} \
                 (topic, partition, kafka_offset) WHERE dead_at IS NOT NULL AND processed_at IS NULL"
            );
        }
        Ok(indexed)
    }

    async fn count_dead(&self) -> Result<(), Error> {
        let dead = self.dead.count(&self.owned).await?;
        self.relay.metrics.dead(dead);
        self.relay.status.dead(dead);
        Ok(())
    }

    /// Pauses fetching while the delivery queue is full.
    fn adjust_flow(&mut self) -> Result<(), Error> {
        let full = self.fill.is_full();
        if full == self.paused || self.owned.is_empty() {
            return Ok(());
        }
        self.set_flow(full)
    }

    fn set_flow(&mut self, paused: bool) -> Result<(), Error> {
        let assignment =
            self.consumer.assignment().map_err(Error::kafka("look at the assignment"))?;
        if paused {
            self.consumer.pause(&assignment).map_err(Error::kafka("pause fetching"))?;
        } else {
            self.consumer.resume(&assignment).map_err(Error::kafka("resume fetching"))?;
        }
        self.paused = paused;
        Ok(())
    }

    async fn hand_over(&self, work: Work) -> Result<(), Error> {
        self.work.send(work).await.map_err(|_| Error::Ended("the delivery"))
    }

    fn pending(&self, stored: StoredMessage) -> Option<Pending<InboxMessage>> {
        let StoredMessage { message, attempts, crashes } = stored;
        let partition = self.partition(&message.topic, message.partition)?;
        Some(Pending {
            id: message.id,
            partition,
            key: message.key.clone(),
            bytes: memory(&message),
            attempts,
            crashes,
            message,
        })
    }

    fn partition(&self, topic: &str, number: i32) -> Option<Partition> {
        consumer::partition(&self.relay.config.topics, topic, number)
    }
}
