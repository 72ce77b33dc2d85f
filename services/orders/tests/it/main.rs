//! The orders service over HTTP and a real PostgreSQL.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod bad_input;
mod harness;
mod idempotency;
mod inbox;
mod pages;
mod process;
mod startup;
