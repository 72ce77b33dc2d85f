//! Checks of Kubernetes manifests as `helm template` prints them, without a
//! cluster and without network.
//!
//! - [`checks::schema`]: every field exists in the API and has its type.
//! - [`checks::relay`]: a `Relay` satisfies its CRD and the sidecar's own parser.
//! - [`checks::links`]: what one object says of another is true of it.
//! - [`checks::policy`]: every container meets the Pod Security level
//!   `restricted`, and some rules of this project.
//!
//! [`sidecars`] compares sidecars that were made in two ways.

pub mod checks;
pub mod manifest;
pub mod pods;
pub mod problem;
pub mod set;
pub mod sidecars;

pub use manifest::Manifest;
pub use problem::Problem;
