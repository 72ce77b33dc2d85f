//! The kit against a real PostgreSQL.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod startup;
mod tls;
mod transactions;
