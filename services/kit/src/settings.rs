//! Settings every service has: command-line flags, each with an environment
//! variable as its fallback.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

/// The exit code of a process that was configured wrongly (`EX_USAGE`).
pub const EXIT_BAD_CONFIGURATION: u8 = 64;

/// A setting that parses but cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("bad configuration: {0}")]
pub struct ConfigurationError(pub String);

/// Parses the command line and the environment.
///
/// # Errors
///
/// The code to leave the process with, after the help or the reason has been
/// printed: 0 for `--help` and `--version`, 64 for a bad setting.
pub fn parse<S: Parser>() -> Result<S, ExitCode> {
    S::try_parse().map_err(|err| {
        // Nothing is left to do when even the message cannot be printed.
        let _ = err.print();
        if err.use_stderr() { ExitCode::from(EXIT_BAD_CONFIGURATION) } else { ExitCode::SUCCESS }
    })
}

/// What all HTTP listeners of a process share.
#[derive(Args, Clone, Debug)]
pub struct HttpSettings {
    /// How long a request may take before it is answered 503.
    #[arg(long, env = "REQUEST_TIMEOUT", default_value = "10s", value_parser = humantime::parse_duration)]
    pub request_timeout: Duration,

    /// How long requests in flight may still run after SIGTERM.
    #[arg(long, env = "SHUTDOWN_GRACE", default_value = "20s", value_parser = humantime::parse_duration)]
    pub shutdown_grace: Duration,

    /// The largest request body accepted, in bytes.
    #[arg(long, env = "MAX_BODY_BYTES", default_value_t = 65_536)]
    pub max_body_bytes: usize,
}

/// Where the database is and how it is used.
#[derive(Args, Clone, Debug)]
pub struct DatabaseSettings {
    /// postgres://user:password@host:port/database. TLS by `sslmode`
    /// (disable, prefer, require, verify-full); whenever TLS is used the
    /// server's certificate and name are verified.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<Secret>,

    /// A file that holds the database URL, instead of --database-url.
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,

    /// Certificate authorities (PEM) to trust for the database, instead of
    /// the system's.
    #[arg(long, env = "DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,

    /// Connections this process opens to the database at most.
    #[arg(long, env = "DATABASE_MAX_CONNECTIONS", default_value_t = 25,
          value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub database_max_connections: u16,

    /// How long to wait for the database at start before giving up.
    #[arg(long, env = "DATABASE_START_TIMEOUT", default_value = "60s", value_parser = humantime::parse_duration)]
    pub database_start_timeout: Duration,
}

impl DatabaseSettings {
    /// Settings for one database URL, everything else at its default.
    #[must_use]
    pub fn for_url(url: impl Into<String>) -> Self {
        Self {
            database_url: Some(Secret(url.into())),
            database_url_file: None,
            database_ca_file: None,
            database_max_connections: 25,
            database_start_timeout: Duration::from_secs(60),
        }
    }

    /// The database URL, from the setting or the file.
    ///
    /// # Errors
    ///
    /// Neither or both are set, or the file cannot be read.
    pub fn url(&self) -> Result<String, ConfigurationError> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), None) => Ok(url.0.clone()),
            (None, Some(path)) => {
                std::fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|err| {
                    ConfigurationError(format!(
                        "the database URL cannot be read from {}: {err}",
                        path.display()
                    ))
                })
            }
            (None, None) => Err(ConfigurationError(
                "the database is not set: give --database-url or --database-url-file \
                 (DATABASE_URL, DATABASE_URL_FILE)"
                    .to_owned(),
            )),
            (Some(_), Some(_)) => Err(ConfigurationError(
                "both --database-url and --database-url-file are set: give one".to_owned(),
            )),
        }
    }
}

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
pub struct TelemetrySettings {
    /// How log lines are written.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Which log lines are written, for example `info` or `info,orders=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Where the sidecar is.
#[derive(Args, Clone, Debug)]
pub struct SidecarSettings {
    /// The admin address of this service's outbox sidecar, for example
    /// http://127.0.0.1:9181. When set, the sidecar is woken after a commit
    /// instead of finding the new rows at its next poll.
    #[arg(long, env = "SIDECAR_URL")]
    pub sidecar_url: Option<HttpUrl>,
}

/// An `http://host:port` address without path or query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpUrl {
    authority: axum::http::uri::Authority,
}

impl HttpUrl {
    /// The host and port.
    #[must_use]
    pub fn authority(&self) -> &axum::http::uri::Authority {
        &self.authority
    }
}

impl From<SocketAddr> for HttpUrl {
    fn from(address: SocketAddr) -> Self {
        // A socket address always prints as a valid authority.
        let authority = address
            .to_string()
            .parse()
            .unwrap_or_else(|_| axum::http::uri::Authority::from_static("localhost"));
        Self { authority }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl FromStr for HttpUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: axum::http::Uri = text.parse().map_err(|err| format!("not a URL: {err}"))?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        match (uri.scheme_str(), uri.authority()) {
            (Some("http"), Some(authority)) if plain => Ok(Self { authority: authority.clone() }),
            _ => Err("expected http://host:port, without a path".to_owned()),
        }
    }
}

/// Text that is never printed by `Debug`.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_url_is_a_host_and_port_only() {
        let url: HttpUrl = "http://127.0.0.1:9181/".parse().unwrap();
        assert_eq!(url.to_string(), "http://127.0.0.1:9181");
        for bad in ["127.0.0.1:9181", "https://a", "http://a/b", "http://a?b", "ftp://a"] {
            assert!(bad.parse::<HttpUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_database_url_never_shows_in_debug_output() {
        let settings = DatabaseSettings::for_url("postgres://u:hunter2@h/d");
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn exactly_one_source_of_the_database_url_is_needed() {
        let mut settings = DatabaseSettings::for_url("postgres://h/d");
        assert_eq!(settings.url().unwrap(), "postgres://h/d");
        settings.database_url_file = Some("/nonexistent/url".into());
        assert!(settings.url().unwrap_err().to_string().contains("both"));
        settings.database_url = None;
        assert!(settings.url().unwrap_err().to_string().contains("/nonexistent/url"));
        settings.database_url_file = None;
        assert!(settings.url().unwrap_err().to_string().contains("DATABASE_URL"));
    }
}
