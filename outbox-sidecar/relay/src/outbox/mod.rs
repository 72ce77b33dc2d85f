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
//! - [`relay`]: the loop that ties them together; [`publishing`]: chunks on their way to
//!   the broker; [`under_way`], [`settling`]: until their cursors are stored; [`retry`]:
//!   parked rows.
//! - [`tally`]: the broker's answers to a chunk, counted.
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
mod publishing;
pub mod reader;
pub mod relay;
pub mod restore;
pub mod retention;
mod retry;
pub mod row;
pub mod settlement;
mod settling;
mod sole;
pub mod source;
pub mod tally;
mod under_way;
pub mod wake;
