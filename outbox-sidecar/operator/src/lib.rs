//! The operator of the outbox sidecar.
//!
//! - [`api`]: the custom resource `Relay`, its schema and its conditions.
//! - [`inject`]: gives a pod its sidecar, without I/O.
//! - [`webhook`]: does so when a pod is created.
//! - [`certificates`]: what the webhook's listener presents, made and rotated.
//! - [`controller`]: watches relays and pods, and says how they fare.
//! - [`run`]: starts and stops all of it; [`leader`]: who of the replicas writes.

pub mod admin;
pub mod api;
pub mod certificates;
pub mod cli;
pub mod controller;
pub mod error;
pub mod inject;
pub mod leader;
pub mod metrics;
pub mod names;
pub mod run;
pub mod telemetry;
pub mod webhook;
pub mod yaml;
