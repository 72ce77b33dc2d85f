//! The service's settings.

use std::net::SocketAddr;

use clap::Parser;
use kit::service::ServiceSettings;

/// Keeps accounts and pays orders from them.
#[derive(Clone, Debug, Parser)]
#[command(name = "payments", version)]
pub struct Settings {
    /// Where the API is served.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:9082")]
    pub admin_listen: SocketAddr,

    /// Where the sidecar delivers messages; no one else should reach it.
    #[arg(long, env = "INBOX_LISTEN", default_value = "127.0.0.1:8092")]
    pub inbox_listen: SocketAddr,

    /// What every service is told.
    #[command(flatten)]
    pub service: ServiceSettings,
}
