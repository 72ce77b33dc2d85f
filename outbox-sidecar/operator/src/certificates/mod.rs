//! The webhook's certificates: made and rotated here, or read from files that
//! somebody else keeps.

mod bundle;
mod files;
mod keeper;
mod material;
mod plan;
mod secret;
mod serving;

pub use bundle::Trust;
pub use files::follow_files;
pub use keeper::{Keeper, Names};
pub use material::{Material, Pair};
pub use plan::{Plan, Present, Serving, Signer, Validity, plan};
pub use secret::follow_secret;
pub use serving::ServingCertificate;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file or Secret does not hold what it should.
    #[error("certificate or key cannot be read: {0}")]
    Unreadable(String),
    /// Certificate and key do not belong together.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate cannot be made.
    #[error("certificate cannot be made: {0}")]
    Making(#[from] rcgen::Error),
    /// A plan names an authority that is not there.
    #[error("the authority that is to sign is gone")]
    NoAuthority,
    /// The API server did not do what it was asked.
    #[error("{what}: {error}")]
    Api {
        /// What it was asked.
        what: &'static str,
        /// What it said.
        #[source]
        error: kube::Error,
    },
    /// A file cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The webhook is not registered.
    #[error("there is no MutatingWebhookConfiguration {0}, so pods are not injected")]
    NotRegistered(String),
}
