//! The gateway's settings.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::Parser;
use kit::settings::{HttpUrl, TelemetrySettings};

use crate::identity::AuthSettings;
use crate::live::LiveSettings;
use crate::pipeline::PipelineSettings;
use crate::rate_limit::RateLimitSettings;

/// The one public door: passes requests on to the services.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Settings {
    /// Where the public API is served.
    #[arg(long, env = "LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, env = "ADMIN_LISTEN", default_value = "127.0.0.1:9080")]
    pub admin_listen: SocketAddr,

    /// How long requests in flight may still run after SIGTERM.
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "20s", value_parser = humantime::parse_duration)]
    pub shutdown_grace: Duration,

    /// What is passed on, and how.
    #[command(flatten)]
    pub proxy: ProxySettings,

    /// How the gateway knows who asks.
    #[command(flatten)]
    pub auth: AuthSettings,

    /// How often may be asked.
    #[command(flatten)]
    pub rate_limits: RateLimitSettings,

    /// Live updates.
    #[command(flatten)]
    pub live: LiveSettings,

    /// The sidecars that operators may look at.
    #[command(flatten)]
    pub pipeline: PipelineSettings,

    /// The log.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// What is passed on, and how.
#[derive(clap::Args, Clone, Debug)]
pub struct ProxySettings {
    /// The orders service.
    #[arg(long, env = "ORDERS_URL", default_value = "http://127.0.0.1:8081")]
    pub orders_url: HttpUrl,

    /// The payments service.
    #[arg(long, env = "PAYMENTS_URL", default_value = "http://127.0.0.1:8082")]
    pub payments_url: HttpUrl,

    /// How long a service may take to begin its answer.
    #[arg(long, env = "UPSTREAM_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub upstream_timeout: Duration,

    /// How long the orders service may take, when not as long as the others.
    #[arg(long, env = "ORDERS_TIMEOUT", value_parser = humantime::parse_duration)]
    pub orders_timeout: Option<Duration>,

    /// How long the payments service may take, when not as long as the others.
    #[arg(long, env = "PAYMENTS_TIMEOUT", value_parser = humantime::parse_duration)]
    pub payments_timeout: Option<Duration>,

    /// The largest request body passed on, in bytes.
    #[arg(long, env = "MAX_BODY_BYTES", default_value_t = 65_536)]
    pub max_body_bytes: usize,

    /// Origins whose pages may call the API, separated by commas.
    #[arg(
        long,
        env = "CORS_ALLOWED_ORIGINS",
        value_delimiter = ',',
        default_value = "http://localhost:3000"
    )]
    pub cors_allowed_origins: Vec<HeaderValue>,

    /// Believe the X-Forwarded-* headers of whoever connects. For a gateway
    /// behind a load balancer that sets them.
    #[arg(long, env = "TRUST_FORWARDED")]
    pub trust_forwarded: bool,
}
