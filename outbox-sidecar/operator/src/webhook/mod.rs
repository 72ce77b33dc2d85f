//! The admission webhook: pods that ask for a sidecar get it.
//!
//! No pod is ever refused. What cannot be done becomes a warning, which
//! `kubectl` shows; an error of the operator itself is an HTTP error, so that
//! `failurePolicy: Ignore` applies. Nothing is written, so a dry run needs no
//! care.

mod decide;
mod handler;
mod review;
mod tls;

pub use decide::Webhook;
pub use handler::router;
pub use tls::TlsListener;
