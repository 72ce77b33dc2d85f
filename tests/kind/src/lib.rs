//! What the tests on a kind cluster are written with.
//!
//! The cluster is there already, with everything that `make kind-up` installs.
//! It is the one of the kubectl context `kind-outbox`, or `kind-$KIND_CLUSTER`;
//! the current context is never used. Nothing here sleeps: everything waits for
//! a condition, and says what it saw last when it has waited too long.
//!
//! - [`Cluster`], [`Namespace`]: where a test is at work.
//! - [`Namespace::until`]: waiting, with the state of the namespace in the error.
//! - [`helm`], [`apply`]: installing things.
//! - [`forward`], [`ingress`]: talking to them.
//! - [`rollout`], [`relay`], [`prometheus`]: reading how they are.
//! - [`faults`]: breaking them; [`load`]: orders meanwhile, and the books afterwards.

pub mod apply;
pub mod cluster;
mod describe;
mod everything;
pub mod faults;
pub mod forward;
pub mod helm;
pub mod ingress;
pub mod load;
pub mod namespace;
pub mod prometheus;
pub mod relay;
pub mod rollout;

pub use cluster::Cluster;
pub use namespace::Namespace;

use std::time::Duration;

/// How long anything may take: images are loaded already, but a slow machine
/// starts many pods at once.
pub const PATIENCE: Duration = Duration::from_secs(300);
