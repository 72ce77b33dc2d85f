//! The gateway in front of services that the tests play.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod failures;
mod harness;
mod identity;
mod issuer;
mod limits;
mod live;
mod ownership;
mod passing;
mod pipeline;
