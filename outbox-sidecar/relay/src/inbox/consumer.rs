//! The Kafka end of an inbox.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    str,
};

use outbox_sidecar_core::{
    config,
    delivery::Partition,
    event::{self, InboxMessage},
};
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Statistics,
    config::{FromClientConfigAndContext as _, RDKafkaLogLevel},
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance, StreamConsumer},
    error::KafkaError,
    message::{BorrowedHeaders, BorrowedMessage, Header, Headers as _},
    topic_partition_list::TopicPartitionList,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    error::Error,
    kafka::{
        client_config,
        log::{BrokerHealth, forward},
    },
    metrics::InboxMetrics,
};

/// The namespace of ids made from topic, partition and offset (RFC 9562, §6.6:
/// a name space of our own, itself a random UUID).
const POSITION_NAMESPACE: Uuid = Uuid::from_u128(0x5f3c_6a0e_9b41_4d0b_8a44_1f6e_02c7_9d15);

/// A change of ownership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// These partitions are ours from now on.
    Assigned(Vec<(String, i32)>),
    /// These belong to another consumer now.
    Revoked(Vec<(String, i32)>),
}

/// Tells of rebalances and statistics.
pub struct Context {
    ownership: mpsc::UnboundedSender<Ownership>,
    metrics: InboxMetrics,
    /// Told of outages.
    pub health: BrokerHealth,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        forward(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.health.note(&error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        for (topic, of_topic) in statistics.topics {
            for (partition, of_partition) in of_topic.partitions {
                if partition >= 0
                    && of_partition.consumer_lag >= 0
                    && of_partition.fetch_state == "active"
                {
                    self.metrics.lag(&topic, partition, of_partition.consumer_lag);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            self.tell(Ownership::Revoked(names(partitions)));
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            self.tell(Ownership::Assigned(names(partitions)));
        }
    }
}

impl Context {
    fn tell(&self, change: Ownership) {
        // The receiver is gone only when the inbox is being torn down.
        let _ = self.ownership.send(change);
    }
}

fn names(partitions: &TopicPartitionList) -> Vec<(String, i32)> {
    partitions
        .elements()
        .iter()
        .map(|element| (element.topic().to_owned(), element.partition()))
        .collect()
}

/// Joins the consumer group. Offsets are committed once a second, but only
/// those stored with `store_offset`, which is done once the database has the rows.
///
/// # Errors
/// The Kafka settings are not usable.
pub fn subscribe(
    kafka: &config::Kafka,
    inbox: &config::StoredInbox,
    metrics: InboxMetrics,
) -> Result<(StreamConsumer<Context>, mpsc::UnboundedReceiver<Ownership>), Error> {
    let mut client = settings(kafka)?;
    let group = [
        ("auto.offset.reset", "earliest"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        ("session.timeout.ms", "10000"),
        ("heartbeat.interval.ms", "2000"),
        ("auto.commit.interval.ms", "1000"),
    ];
    for (name, value) in group {
        if !kafka.properties.contains_key(name) {
            client.set(name, value);
        }
    }
    client
        .set("group.id", &inbox.consumer_group)
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false");
    let (ownership, changes) = mpsc::unbounded_channel();
    let context = Context { ownership, metrics, health: BrokerHealth::default() };
    let consumer: StreamConsumer<Context> =
        StreamConsumer::from_config_and_context(&client, context)
            .map_err(Error::kafka("set up the Kafka consumer"))?;
    let topics: Vec<&str> = inbox.topics.iter().map(String::as_str).collect();
    consumer
        .subscribe(&topics)
        .map_err(Error::kafka(format!("subscribe to {}", topics.join(", "))))?;
    Ok((consumer, changes))
}

/// Reads what it is assigned, in no group: it joins none, and commits nothing.
///
/// # Errors
/// The Kafka settings are not usable.
pub fn unattached(
    kafka: &config::Kafka,
    metrics: InboxMetrics,
) -> Result<StreamConsumer<Context>, Error> {
    let mut client = settings(kafka)?;
    client
        // The client's interface wants a name, which no broker gets to remember.
        .set("group.id", &kafka.client_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // What is no longer there is not made up for: the feed goes on with what is new.
        .set("auto.offset.reset", "latest");
    // Nothing is told of ownership, which does not change.
    let (ownership, _) = mpsc::unbounded_channel();
    let context = Context { ownership, metrics, health: BrokerHealth::default() };
    StreamConsumer::from_config_and_context(&client, context)
        .map_err(Error::kafka("set up the Kafka consumer"))
}

fn settings(kafka: &config::Kafka) -> Result<ClientConfig, Error> {
    let mut client = client_config(kafka)?;
    let defaults = [
        ("fetch.wait.max.ms", "500"),
        ("fetch.error.backoff.ms", "100"),
        ("queued.max.messages.kbytes", "16384"),
        ("statistics.interval.ms", "5000"),
        // A topic that is made later is noticed soon.
        ("topic.metadata.refresh.interval.ms", "10000"),
        ("allow.auto.create.topics", "false"),
    ];
    for (name, value) in defaults {
        if !kafka.properties.contains_key(name) {
            client.set(name, value);
        }
    }
    Ok(client)
}

/// A message as it goes into the inbox. Its id is the `id` header if that is a
/// UUID, and otherwise made from where the message stands, so that it is the
/// same each time it is read.
pub fn inbox_message(message: &BorrowedMessage<'_>) -> InboxMessage {
    let (mut id, mut event_type, mut headers) = (None, None, BTreeMap::new());
    for header in message.headers().into_iter().flat_map(text_headers) {
        // Headers may be any bytes; text is what an application can use.
        let Some(value) = header.value.and_then(|value| str::from_utf8(value).ok()) else {
            continue;
        };
        match header.key {
            "id" => id = Uuid::try_parse(value).ok(),
            "type" => event_type = Some(text(value)),
            name => {
                headers.insert(text(name), text(value));
            }
        }
    }
    // It is ours to say, not a header's of that name.
    headers.remove(event::TIMESTAMP);
    if let Some(timestamp) = timestamp(message) {
        headers.insert(event::TIMESTAMP.to_owned(), timestamp.to_string());
    }
    InboxMessage {
        id: id
            .unwrap_or_else(|| position_id(message.topic(), message.partition(), message.offset())),
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        event_type,
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
        received_at: jiff::Timestamp::now(),
    }
}

/// When the record was made, or appended to the log, as its topic has it; `None` if it says
/// nothing, or nothing that is a time.
fn timestamp(message: &BorrowedMessage<'_>) -> Option<jiff::Timestamp> {
    let milliseconds = message.timestamp().to_millis().filter(|milliseconds| *milliseconds >= 0)?;
    jiff::Timestamp::from_millisecond(milliseconds).ok()
}

/// The headers whose names are text. The client panics at one that is not, and
/// anybody may send such a message; a broker takes it.
fn text_headers(headers: &BorrowedHeaders) -> impl Iterator<Item = Header<'_, &[u8]>> {
    (0..headers.count())
        .filter_map(|index| catch_unwind(AssertUnwindSafe(|| headers.try_get(index))).ok()?)
}

/// PostgreSQL's text has no NUL.
fn text(value: &str) -> String {
    value.replace('\0', "")
}

fn position_id(topic: &str, partition: i32, offset: i64) -> Uuid {
    Uuid::new_v5(&POSITION_NAMESPACE, format!("{topic}-{partition}-{offset}").as_bytes())
}

/// The partition by its topic's place in the list of an inbox.
pub fn partition(topics: &[String], topic: &str, partition: i32) -> Option<Partition> {
    let topic = topics.iter().position(|name| name == topic)?;
    Some(Partition { topic, partition })
}

/// Roughly what a message takes in memory.
pub fn memory(message: &InboxMessage) -> usize {
    const FIXED: usize = 256;
    let headers: usize = message.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    FIXED
        + message.payload.as_ref().map_or(0, Vec::len)
        + 2 * message.key.as_ref().map_or(0, Vec::len)
        + headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_an_id_is_known_by_its_place() {
        assert_eq!(position_id("a", 1, 2), position_id("a", 1, 2));
        assert_ne!(position_id("a", 1, 2), position_id("a", 1, 3));
        assert_ne!(position_id("a", 12, 3), position_id("a", 1, 23));
    }
}
