//! Which partitions there are, and where each is read on.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    topic_partition_list::{Offset, TopicPartitionList},
};

use crate::{error::Error, inbox::consumer::Context};

/// How long a broker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A topic and a number in it.
type Name = (String, i32);

/// Where each known partition is read on.
#[derive(Debug, Default)]
pub(super) struct Positions {
    next: BTreeMap<Name, Offset>,
    /// Whether the partitions have been looked at; one that appears later is read
    /// from its first message.
    begun: bool,
}

/// What there is in the topics.
#[derive(Debug)]
pub(super) struct Found {
    /// Partitions that were not known, and where to begin with them.
    new: Vec<(Name, Offset)>,
    /// Topics that do not exist.
    pub missing: Vec<String>,
}

impl Positions {
    /// Looks for partitions that are not known yet, on a thread of its own.
    ///
    /// # Errors
    /// The brokers are away or do not know yet.
    pub(super) fn look(
        &self,
        consumer: Arc<StreamConsumer<Context>>,
        topics: Vec<String>,
    ) -> impl Future<Output = Result<Found, Error>> + Send + use<> {
        let (known, begun) = (self.next.keys().cloned().collect(), self.begun);
        async move {
            tokio::task::spawn_blocking(move || look(&consumer, topics, &known, begun))
                .await
                .map_err(|_| Error::Ended("looking at the topics"))?
        }
    }

    /// Knows them from now on, and returns how to assign them.
    pub(super) fn add(&mut self, found: Found) -> Result<TopicPartitionList, Error> {
        self.begun = true;
        let mut list = TopicPartitionList::new();
        for (name, offset) in found.new {
            list.add_partition_offset(&name.0, name.1, offset).map_err(Error::kafka("assign"))?;
            self.next.insert(name, offset);
        }
        Ok(list)
    }

    /// All of them, for a consumer that has none.
    pub(super) fn all(&self) -> Result<TopicPartitionList, Error> {
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in &self.next {
            list.add_partition_offset(topic, *partition, *offset)
                .map_err(Error::kafka("assign"))?;
        }
        Ok(list)
    }

    /// A message was received.
    pub(super) fn passed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.next.insert((topic.to_owned(), partition), Offset::Offset(offset + 1));
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.next.len()
    }
}

fn look(
    consumer: &StreamConsumer<Context>,
    topics: Vec<String>,
    known: &BTreeSet<Name>,
    begun: bool,
) -> Result<Found, Error> {
    let mut found = Found { new: Vec::new(), missing: Vec::new() };
    for topic in topics {
        let action = || format!("look at the topic {topic}");
        let metadata = consumer
            .fetch_metadata(Some(topic.as_str()), TIMEOUT)
            .map_err(|source| Error::Kafka { action: action(), source })?;
        let described = metadata.topics().iter().find(|described| described.name() == topic);
        let Some(described) = described else { continue };
        match described.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {
                found.missing.push(topic);
                continue;
            }
            Some(code) => {
                let source = KafkaError::MetadataFetch(code);
                return Err(Error::Kafka { action: action(), source });
            }
        }
        for partition in described.partitions() {
            let name = (topic.clone(), partition.id());
            if known.contains(&name) {
                continue;
            }
            let offset = if begun {
                Offset::Beginning
            } else {
                // Now, and not when the first fetch is made: what comes once this inbox
                // says that it reads is delivered.
                let (_, end) = consumer
                    .fetch_watermarks(&name.0, name.1, TIMEOUT)
                    .map_err(|source| Error::Kafka { action: action(), source })?;
                Offset::Offset(end)
            };
            found.new.push((name, offset));
        }
    }
    Ok(found)
}
