//! Publishing: rows of an outbox table to Kafka.
//!
//! - [`identity`]: what tells an outbox from all others.
//! - [`lease`]: which buckets this relay may publish, and how far each is.
//! - [`reader`]: the rows of the next window, in order.
//! - [`publisher`]: to the broker, and what it acknowledged.
//! - [`producers`]: the clients for that, of all buckets or of each.
//! - [`settlement`]: what becomes of rows that are not published.
//! - [`parked`]: rows that wait.
//! - [`relay`]: the loop that ties them together; [`retry`]: parked rows in it.
//! - [`retention`]: removing what was published long ago.
//! - [`wake`]: pokes, from here and from other sidecars.

pub mod identity;
pub mod lease;
pub mod parked;
pub mod producers;
pub mod publisher;
pub mod reader;
pub mod relay;
pub mod retention;
mod retry;
pub mod settlement;
pub mod wake;
