//! The sidecar: PostgreSQL at one end, Kafka at the other, HTTP to the
//! application on loopback.
//!
//! [`sidecar::run`] ties it together: the admin port ([`admin`]), the
//! configuration file ([`config_file`]), and under each configuration the parts
//! ([`parts`]): one task per outbox ([`outbox`]) and one per inbox ([`inbox`]). A
//! part that fails starts anew from what the database and the broker hold, so
//! there is one way to recover, from a lost connection as from `kill -9`.

pub mod admin;
pub mod check;
pub mod config_file;
pub mod database;
pub mod dead_letter;
pub mod error;
pub mod horizon;
pub mod inbox;
pub mod init;
pub mod kafka;
pub mod metrics;
pub mod outbox;
pub mod parts;
pub mod replay;
pub mod secret;
pub mod sidecar;
pub mod status;
pub mod telemetry;
pub mod upkeep;
