//! Relays, writers and an application under a seeded schedule of faults, on a PostgreSQL and a
//! Kafka of their own, and an audit of every row.
//!
//! - [`schedule`]: from a seed to timed faults, without I/O.
//! - [`audit`]: what was committed against what was published and applied, without I/O.
//! - [`writer`]: transactions that write events, each noted in the ledger that it commits with.
//! - [`application`]: applies events as the contract says, and fails on demand.
//! - [`world`]: the processes; [`inject`]: how a fault is done to them, and undone;
//!   [`disturb`]: a schedule of them.
//! - [`run`]: all of it together; [`report`]: what it prints.

pub mod application;
pub mod audit;
pub mod disturb;
pub mod evidence;
pub mod inject;
pub mod relays;
pub mod report;
pub mod run;
pub mod schedule;
pub mod world;
pub mod writer;
