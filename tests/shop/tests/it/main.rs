//! The whole shop through its gateway: the path of an order, the bugs of the
//! system this one replaces, and faults.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod faults;
mod live;
mod metrics_docs;
mod operator;
mod original_bugs;
mod shop;
mod walk;
