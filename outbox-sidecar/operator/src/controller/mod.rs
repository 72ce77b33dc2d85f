//! Watches relays and their pods, and says how they fare.
//!
//! [`reconcile`] is one look at one relay. What it concludes is decided by
//! functions without I/O: [`injection`], [`flow`] and [`verdict`].

pub mod config_map;
mod context;
mod events;
pub mod flow;
pub mod injection;
mod mounts;
mod pod_monitor;
pub mod pods;
mod poll;
mod reconcile;
mod run;
pub mod verdict;
mod workload;

pub use context::{Context, Memory};
pub use pod_monitor::PodMonitors;
pub use poll::Poll;
pub use reconcile::{ReconcileError, on_error, reconcile};
pub use run::{Scope, run, watch_pods};
