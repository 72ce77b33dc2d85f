//! The service's settings.

use std::net::SocketAddr;

use clap::Parser;
use kit::service::ServiceSettings;

/// Takes orders and applies the outcomes of their payments.
#[derive(Clone, Debug, Parser)]
#[command(name = "orders", version)]
pub struct Settings {
    /// Where the API is served.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:9081")]
    pub admin_listen: SocketAddr,

    /// Where the sidecar delivers messages; no one else should reach it.
    #[arg(long, env = "INBOX_LISTEN", default_value = "127.0.0.1:8091")]
    pub inbox_listen: SocketAddr,

    /// What every service is told.
    #[command(flatten)]
    pub service: ServiceSettings,
}
