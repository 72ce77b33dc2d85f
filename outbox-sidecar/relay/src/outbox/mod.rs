//! Publishing: rows of an outbox table to Kafka.
//!
//! - [`lease`]: which buckets this relay may publish, and how far each is.
//! - [`reader`]: the rows of the next window, in order.
//! - [`publisher`]: to the broker, and what it acknowledged.
//! - [`relay`]: the loop that ties them together.
//! - [`retention`]: removing what was published long ago.
//! - [`wake`]: pokes, from here and from other sidecars.

pub mod lease;
pub mod publisher;
pub mod reader;
pub mod relay;
pub mod retention;
pub mod wake;
