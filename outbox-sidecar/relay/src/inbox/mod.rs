//! Consuming: Kafka's messages into an inbox table, and on to the application.
//!
//! - [`consumer`]: the Kafka end, and which partitions are ours.
//! - [`store`]: the table.
//! - [`ingest`]: from the one into the other, then to the delivery.
//! - [`deliver`]: to the application, in order per key.
//! - [`retention`]: removing what was applied long ago.

pub mod consumer;
pub mod deliver;
pub mod ingest;
pub mod retention;
pub mod store;
