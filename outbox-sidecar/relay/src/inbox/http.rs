//! The HTTP clients for the application.

use std::time::Duration;

/// Clients that share nothing but their settings; clones share the connections.
#[derive(Clone)]
pub struct Clients {
    /// Connections are kept and used again.
    pub kept: reqwest::Client,
    /// Each request has a connection of its own. What is sent on a kept one to an
    /// application that is just ending is lost with it, whatever it was; a loss that
    /// is to be blamed on a message needs one that was made for it.
    pub own: reqwest::Client,
}

impl Clients {
    /// Connects lazily.
    ///
    /// # Errors
    /// The system's TLS or resolver cannot be set up.
    pub fn new() -> reqwest::Result<Self> {
        let client = |idle| {
            reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(2))
                .pool_idle_timeout(Duration::from_secs(60))
                .pool_max_idle_per_host(idle)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
        };
        Ok(Self { kept: client(usize::MAX)?, own: client(0)? })
    }
}
