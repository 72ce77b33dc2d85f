//! The operator against what users give it and against an API server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

mod admission;
mod crd;
mod fake_api;
mod fake_sidecar;
mod golden;
mod injection;
mod metrics_docs;
mod operator;
mod reconcile;
mod world;
