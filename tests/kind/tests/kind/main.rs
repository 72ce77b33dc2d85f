//! The whole system on a kind cluster that has everything `make kind-up`
//! installs; `make e2e` runs this.
//!
//! Tests that only look at the shop share the release that is there. Those that
//! break things share one of their own, in the namespace `e2e-faults`, which
//! stays for the next run. All others have a namespace of their own.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod faults;
mod notes;
mod operator;
mod orders;
mod prometheus;
mod python;
mod relays;
mod standing;
mod static_mode;
mod ui;
mod uninstall;
mod upgrade;
