//! The ingress, as a client on this machine reaches it.

use std::{
    env,
    net::{Ipv4Addr, SocketAddr},
};

use shop_tests::client::Client;

/// Where kind leads the ingress's port to: `KIND_HTTP_PORT` of this machine, or 80.
fn port() -> u16 {
    env::var("KIND_HTTP_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(80)
}

/// Settings for connections on which `host` is the ingress, whatever a name
/// server says.
fn connections(host: &str) -> reqwest::ClientBuilder {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port()));
    reqwest::Client::builder().no_proxy().resolve(host, address)
}

/// `http://host`, with the port if it is not 80.
pub fn url(host: &str) -> String {
    match port() {
        80 => format!("http://{host}"),
        port => format!("http://{host}:{port}"),
    }
}

/// A plain HTTP client for a host behind the ingress.
///
/// # Errors
/// It cannot be set up.
pub fn http(host: &str) -> anyhow::Result<reqwest::Client> {
    Ok(connections(host).build()?)
}

/// A client of the shop whose API has this host.
///
/// # Errors
/// It cannot be set up.
pub fn shop(host: &str) -> anyhow::Result<Client> {
    Client::with(url(host), connections(host))
}
