//! Making topics that do not exist yet.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use outbox_sidecar_core::config::{self, Topics};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    config::FromClientConfigAndContext as _,
    types::RDKafkaErrorCode,
};

use super::{client_config, log::Context};
use crate::error::Error;

/// How long the controller may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// A topic that did not exist is not asked for again within this time.
const MISSING_FOR: Duration = Duration::from_secs(1);

/// Missing topics that are remembered at most.
const MAXIMUM_MISSING: usize = 1_000;

/// Makes topics, and remembers which are there.
pub struct TopicMaker {
    admin: Arc<AdminClient<Context>>,
    policy: Topics,
    known: Mutex<HashSet<String>>,
    /// Topics that did not exist, and when.
    missing: Mutex<HashMap<String, Instant>>,
}

impl TopicMaker {
    /// Connects lazily.
    ///
    /// # Errors
    /// The Kafka settings are not usable.
    pub fn new(kafka: &config::Kafka, policy: Topics) -> Result<Self, Error> {
        let admin =
            AdminClient::from_config_and_context(&client_config(kafka)?, Context::default())
                .map_err(Error::kafka("set up the Kafka admin client"))?;
        let admin = Arc::new(admin);
        Ok(Self { admin, policy, known: Mutex::default(), missing: Mutex::default() })
    }

    /// Makes sure that the topics exist, if the configuration allows to make
    /// them; otherwise does nothing. A topic that exists is left as it is.
    ///
    /// # Errors
    /// The broker is away or refuses.
    pub async fn ensure<'a>(&self, topics: impl IntoIterator<Item = &'a str>) -> Result<(), Error> {
        if !self.policy.create {
            return Ok(());
        }
        let missing: Vec<&str> = {
            let known = self.known();
            topics.into_iter().filter(|topic| !known.contains(*topic)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let partitions = i32::from(self.policy.partitions);
        let replicas = self.policy.replication_factor.map_or(-1, i32::from);
        let new: Vec<_> = missing
            .iter()
            .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas)))
            .collect();
        let options = AdminOptions::new()
            .operation_timeout(Some(OPERATION_TIMEOUT))
            .request_timeout(Some(OPERATION_TIMEOUT));
        let action = || format!("create the topics {}", missing.join(", "));
        let results =
            self.admin.create_topics(&new, &options).await.map_err(Error::kafka(action()))?;
        for result in results {
            match result {
                Ok(topic) => {
                    tracing::info!(topic, partitions, "created the topic");
                    self.known().insert(topic);
                }
                Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => {
                    self.known().insert(topic);
                }
                Err((topic, code)) => {
                    let source = rdkafka::error::KafkaError::AdminOp(code);
                    return Err(Error::Kafka {
                        action: format!("create the topic {topic}"),
                        source,
                    });
                }
            }
        }
        Ok(())
    }

    /// The names of all topics that there are and that may be seen.
    ///
    /// # Errors
    /// The broker is away.
    pub async fn existing(self) -> Result<HashSet<String>, Error> {
        // All of them, as asking for one by name may make it.
        let metadata = tokio::task::spawn_blocking(move || {
            self.admin.inner().fetch_metadata(None, OPERATION_TIMEOUT)
        })
        .await
        .map_err(|_| Error::Ended("looking at the topics"))?
        .map_err(Error::kafka("list the topics"))?;
        Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
    }

    /// Makes sure that a row's topic exists: makes it, or if the configuration does
    /// not allow to, looks for it.
    ///
    /// # Errors
    /// [`Error::NoTopic`] if it does not exist and may not be made. Or the broker is
    /// away or refuses.
    pub async fn find(&self, topic: &str) -> Result<(), Error> {
        if self.policy.create {
            return self.ensure([topic]).await;
        }
        if self.known().contains(topic) {
            return Ok(());
        }
        let missing = || Error::NoTopic { topic: topic.to_owned() };
        if self.missing().get(topic).is_some_and(|since| since.elapsed() < MISSING_FOR) {
            return Err(missing());
        }
        let (admin, name) = (Arc::clone(&self.admin), topic.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            admin.inner().fetch_metadata(Some(name.as_str()), OPERATION_TIMEOUT).map(|metadata| {
                let topics = metadata.topics();
                topics.iter().find(|topic| topic.name() == name).and_then(|topic| topic.error())
            })
        });
        let problem = found
            .await
            .map_err(|_| Error::Ended("looking for a topic"))?
            .map_err(Error::kafka(format!("look for the topic {topic}")))?;
        if problem.map(RDKafkaErrorCode::from) == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            let mut known_missing = self.missing();
            if known_missing.len() >= MAXIMUM_MISSING {
                known_missing.clear();
            }
            known_missing.insert(topic.to_owned(), Instant::now());
            return Err(missing());
        }
        self.known().insert(topic.to_owned());
        Ok(())
    }

    /// Whether topics that are absent are made.
    pub fn creates(&self) -> bool {
        self.policy.create
    }

    /// Looks anew for every topic from now on: something failed, and one may
    /// have been deleted.
    pub fn forget(&self) {
        self.known().clear();
    }

    /// As for `known`.
    fn missing(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A set of names left by a panicking thread is still good.
    fn known(&self) -> MutexGuard<'_, HashSet<String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
