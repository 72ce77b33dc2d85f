//! Where the sidecars are.

use std::path::PathBuf;
use std::str::FromStr;

use kit::settings::HttpUrl;

/// Which sidecars operators may look at.
#[derive(clap::Args, Clone, Debug)]
pub struct PipelineSettings {
    /// The admin addresses of the services' outbox sidecars, by service and
    /// separated by commas: orders=http://127.0.0.1:9181,payments=…
    #[arg(long, env = "SIDECARS", value_delimiter = ',')]
    pub sidecars: Vec<NamedSidecar>,

    /// A file that holds the token of the sidecars' admin ports (`admin.token`),
    /// for those that are not on this machine or in this pod. It is read for
    /// every request, so that it may change.
    #[arg(long, env = "SIDECAR_TOKEN_FILE")]
    pub sidecar_token_file: Option<PathBuf>,
}

/// A service and where its sidecar is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedSidecar {
    /// The service's name.
    pub service: String,
    /// Its sidecar's admin address.
    pub url: HttpUrl,
}

impl FromStr for NamedSidecar {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, url) =
            text.split_once('=').ok_or("expected service=http://host:port, such as orders=…")?;
        let named = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if service.is_empty() || !service.bytes().all(named) {
            return Err(format!("`{service}` is no service's name: use a-z, 0-9 and -"));
        }
        Ok(Self { service: service.to_owned(), url: url.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sidecar_is_named_by_service_and_address() {
        let named: NamedSidecar = "orders=http://127.0.0.1:9181".parse().unwrap();
        assert_eq!(
            (named.service.as_str(), named.url.to_string().as_str()),
            ("orders", "http://127.0.0.1:9181")
        );
        for wrong in ["http://127.0.0.1:9181", "=http://a:1", "or ders=http://a:1", "orders=a:1"] {
            assert!(wrong.parse::<NamedSidecar>().is_err(), "{wrong}");
        }
    }
}
