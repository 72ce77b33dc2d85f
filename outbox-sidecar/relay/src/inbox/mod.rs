//! Consuming: Kafka's messages into an inbox table, and on to the application.
//!
//! - [`consumer`]: the Kafka end, and which partitions are ours.
//! - [`store`]: the table.
//! - [`ingest`]: from the one into the other, then to the delivery.
//! - [`deliver`]: to the application, in order per key; [`endpoint`]: a request to it;
//!   [`http`]: its clients.
//! - [`suspects`]: messages that may bring the application down.
//! - [`dead`]: dead letters, and delivering them again.
//! - [`retention`]: removing what was applied long ago.
//! - [`broadcast`]: without a table, to every sidecar.

pub mod broadcast;
pub mod consumer;
pub mod dead;
pub mod deliver;
pub mod endpoint;
pub mod http;
pub mod ingest;
pub mod retention;
pub mod store;
pub mod suspects;
