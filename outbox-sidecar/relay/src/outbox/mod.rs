//! Publishing: rows of an outbox table to Kafka.
//!
//! - [`buckets`]: changing their number.
//! - [`identity`]: what tells an outbox from all others.
//! - [`lease`]: which buckets this relay may publish, and how far each is.
//! - [`source`]: where rows come from, by the engine: [`reader`], the rows of the
//!   next window, or [`claim`], the rows that are not published yet.
//! - [`row`]: what is read of a row.
//! - [`publisher`]: to the broker, and what it acknowledged.
//! - [`producers`]: the clients for that, of all buckets or of each.
//! - [`restore`]: going on in a database that the cursors are not from.
//! - [`partitions`]: made ahead of time, and dropped.
//! - [`settlement`]: what becomes of rows that are not published.
//! - [`parked`]: rows that wait.
//! - [`relay`]: the loop that ties them together; [`retry`]: parked rows in it.
//! - [`retention`]: removing what was published long ago.
//! - [`wake`]: pokes, from here and from other sidecars.

pub mod buckets;
pub mod claim;
pub mod identity;
pub mod lease;
pub mod parked;
pub mod partitions;
pub mod producers;
pub mod publisher;
pub mod reader;
pub mod relay;
pub mod restore;
pub mod retention;
mod retry;
pub mod row;
pub mod settlement;
pub mod source;
pub mod wake;
