//! The certificate that the webhook's listener presents, replaced while it runs.

use std::{fmt, sync::Arc};

use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::watch;

use super::{CertificateError, Pair};
use crate::metrics::Metrics;

/// The certificate in use; clones share it.
#[derive(Clone)]
pub struct ServingCertificate {
    current: watch::Sender<Option<Arc<CertifiedKey>>>,
    metrics: Metrics,
}

impl ServingCertificate {
    /// None yet.
    pub fn new(metrics: Metrics) -> Self {
        Self { current: watch::Sender::new(None), metrics }
    }

    /// Presents another one from the next connection on.
    ///
    /// # Errors
    /// Certificate and key cannot be used; the one before stays.
    pub fn replace(&self, pair: &Pair) -> Result<(), CertificateError> {
        let key = Arc::new(pair.certified_key()?);
        let changed = self.current.send_if_modified(|current| {
            let changed = current.as_ref().is_none_or(|current| current.cert != key.cert);
            if changed {
                *current = Some(key);
            }
            changed
        });
        if changed {
            let expires_at = pair.expires_at();
            self.metrics.certificate_expires(expires_at);
            let expires_at = expires_at.map(|at| at.to_string()).unwrap_or_default();
            tracing::info!(%expires_at, "serving certificate loaded");
        }
        Ok(())
    }

    /// Whether there is one.
    pub fn is_loaded(&self) -> bool {
        self.current.borrow().is_some()
    }

    /// For a listener that always presents the current one.
    ///
    /// # Errors
    /// TLS 1.3 is not there, which it is.
    pub fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.borrow().clone()
    }
}

impl fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingCertificate").field("loaded", &self.is_loaded()).finish()
    }
}
