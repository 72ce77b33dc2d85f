//! What can go wrong, with a class that decides what happens next.

use outbox_sidecar_core::{failure::Class, snapshot::InvalidSnapshot};
use rdkafka::{error::KafkaError, types::RDKafkaErrorCode};

use crate::{admin::access::WeakToken, secret::UnreadableSecret};

/// An error of the sidecar's outside world.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection to the database.
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] deadpool_postgres::PoolError),
    /// A statement failed.
    #[error("cannot {action}: {}", database_message(.source))]
    Database {
        /// What was being done.
        action: &'static str,
        /// What the database said.
        source: tokio_postgres::Error,
    },
    /// The sidecar's own tables could not be made.
    #[error("cannot prepare the schema `outbox_sidecar`: {0}")]
    Migrate(#[source] Box<refinery::Error>),
    /// The configured table is not usable.
    #[error("{0}")]
    Table(String),
    /// A stored snapshot is not one.
    #[error("the cursor of outbox `{outbox}` is damaged: {source}")]
    Cursor {
        /// The outbox.
        outbox: String,
        /// What is wrong.
        source: InvalidSnapshot,
    },
    /// Another relay publishes the bucket now.
    #[error("the lease of outbox `{outbox}` was lost to another relay")]
    LeaseLost {
        /// The outbox.
        outbox: String,
    },
    /// Another relay introduced itself as the transactional producer.
    #[error("another relay has taken over the Kafka producer `{producer}`")]
    Fenced {
        /// Its `transactional.id`.
        producer: String,
    },
    /// The connection leads to another database than before.
    #[error("the database is not the one from before; starting anew with it")]
    AnotherDatabase,
    /// Kafka refused or could not be reached.
    #[error("cannot {action}: {source}")]
    Kafka {
        /// What was being done.
        action: String,
        /// What the client said.
        source: KafkaError,
    },
    /// A person asked for something that is not configured.
    #[error("{0}")]
    Unknown(String),
    /// A row's topic does not exist.
    #[error("the topic {topic} does not exist, and `topics.create: false` says not to make it")]
    NoTopic {
        /// The topic.
        topic: String,
    },
    /// A secret could not be read.
    #[error(transparent)]
    Secret(#[from] UnreadableSecret),
    /// The admin port's token protects nothing.
    #[error(transparent)]
    Token(#[from] WeakToken),
    /// TLS could not be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// The system has no more threads.
    #[error("cannot start a thread for Kafka's answers: {0}")]
    Thread(#[source] std::io::Error),
    /// A background task ended unexpectedly.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

impl Error {
    /// For [`Result::map_err`] on a statement.
    pub fn database(action: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |source| Self::Database { action, source }
    }

    /// For [`Result::map_err`] on a Kafka call.
    pub fn kafka(action: impl Into<String>) -> impl FnOnce(KafkaError) -> Self {
        move |source| Self::Kafka { action: action.into(), source }
    }

    /// What decides the reaction.
    pub fn class(&self) -> Class {
        match self {
            Self::Connect(_)
            | Self::LeaseLost { .. }
            | Self::Fenced { .. }
            | Self::AnotherDatabase
            | Self::Thread(_)
            | Self::Ended(_) => Class::Outage,
            Self::Database { source, .. } => source.code().map_or(Class::Outage, |code| {
                // 42: undefined table or column, insufficient privilege, syntax.
                // 3D, 28: no such database, authentication.
                let class = code.code().get(..2);
                if matches!(class, Some("42" | "3D" | "28")) {
                    Class::Configuration
                } else {
                    Class::Outage
                }
            }),
            Self::Migrate(_)
            | Self::Table(_)
            | Self::Unknown(_)
            | Self::Cursor { .. }
            | Self::Secret(_)
            | Self::Token(_)
            | Self::Tls(_) => Class::Configuration,
            Self::NoTopic { .. } => Class::Poison,
            Self::Kafka { source, .. } => kafka_class(source),
        }
    }
}

/// The class of a Kafka error.
pub fn kafka_class(error: &KafkaError) -> Class {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    };
    match code {
        Some(
            Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidDifferentRecord
            | Code::InvalidTopic,
        ) => Class::Poison,
        Some(
            Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::InvalidTransactionTimeout
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::PolicyViolation
            | Code::InvalidReplicationFactor
            | Code::InvalidPartitions
            | Code::SSL,
        ) => Class::Configuration,
        _ if matches!(error, KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_)) => {
            Class::Configuration
        }
        _ => Class::Outage,
    }
}

/// The server's own words where it sent some; the driver's text is only `db error`.
fn database_message(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => format!("{} (SQLSTATE {})", server.message(), server.code().code()),
        None => error.to_string(),
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        Self::Connect(error)
    }
}

/// The error and its causes on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
