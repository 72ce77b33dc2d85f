//! The domain of the outbox/inbox sidecar, without I/O.
//!
//! Start here to learn how the system works:
//!
//! - [`snapshot`] and [`window`]: how an outbox is read without a status column
//!   and without losing a late commit.
//! - [`restore`]: what is concluded from a cursor of another database.
//! - [`partition`]: daily partitions of an outbox.
//! - [`chunk_size`]: how much goes to the broker at a time.
//! - [`pace`]: how long the database is left alone between two looks at it.
//! - [`share`] and [`lease`]: who publishes which part of an outbox, and how a
//!   part passes from one relay to another.
//! - [`record`]: from a row to a Kafka record; [`route`]: to its topic.
//! - [`parked`]: rows that cannot be published, and the rows behind them.
//! - [`dead_letter`]: what is told of rows and messages that were given up.
//! - [`delivery`]: in which order inbox messages go to the application.
//! - [`live_feed`]: the same of an inbox without a table.
//! - [`event`]: what the application receives (CloudEvents) and answers.
//! - [`failure`] and [`backoff`]: what is retried, and how patiently.
//! - [`horizon`]: who holds the database's transaction horizon.
//! - [`config`]: the one configuration schema, of the file and of the `Relay`
//!   resource.
//! - [`ddl`]: the SQL of a new outbox or inbox.
//! - [`status`]: what a sidecar tells of itself.
//!
//! Nothing here links PostgreSQL, Kafka or Kubernetes.

pub mod backoff;
pub mod chunk_size;
pub mod config;
pub mod ddl;
pub mod dead_letter;
pub mod delivery;
pub mod event;
pub mod failure;
pub mod horizon;
pub mod lease;
pub mod live_feed;
pub mod pace;
pub mod parked;
pub mod partition;
pub mod record;
pub mod restore;
pub mod route;
pub mod share;
pub mod snapshot;
pub mod sql_name;
pub mod status;
pub mod template;
pub mod window;
