//! Limits of live connections.

use std::net::SocketAddr;
use std::time::Duration;

use kit::settings::ConfigurationError;

/// How events reach browsers, and how many they may be.
#[derive(clap::Args, Clone, Debug)]
pub struct LiveSettings {
    /// Where the gateway's own sidecar delivers events; no one else should
    /// reach it.
    #[arg(long, env = "INBOX_LISTEN", default_value = "127.0.0.1:8090")]
    pub inbox_listen: SocketAddr,

    /// Live connections at most, in all.
    #[arg(long, env = "LIVE_MAX_CONNECTIONS", default_value_t = 10_000)]
    pub live_max_connections: usize,

    /// Live connections at most of one identity; 0: as many as it likes.
    #[arg(long, env = "LIVE_MAX_PER_IDENTITY", default_value_t = 20)]
    pub live_max_per_identity: usize,

    /// Events that wait for one slow client. When there are more, they are
    /// left out and it is told to fetch everything anew.
    #[arg(long, env = "LIVE_QUEUE", default_value_t = 256)]
    pub live_queue: usize,

    /// The latest events that a connection can be resumed behind.
    #[arg(long, env = "LIVE_REPLAY", default_value_t = 10_000)]
    pub live_replay: usize,

    /// How often a quiet connection is shown to be there; a client that answers
    /// nothing for two such times is disconnected. From 1s to 5m.
    #[arg(long, env = "LIVE_HEARTBEAT", default_value = "15s", value_parser = humantime::parse_duration)]
    pub live_heartbeat: Duration,

    /// How long a client may take to take in one message.
    #[arg(long, env = "LIVE_SEND_TIMEOUT", default_value = "30s", value_parser = humantime::parse_duration)]
    pub live_send_timeout: Duration,

    /// At a stop, clients are told to come back after a random time up to this
    /// one, so that they do not all come at once.
    #[arg(long, env = "LIVE_RECONNECT_WITHIN", default_value = "5s", value_parser = humantime::parse_duration)]
    pub live_reconnect_within: Duration,
}

impl LiveSettings {
    pub(super) fn check(&self) -> Result<(), ConfigurationError> {
        let heartbeat = Duration::from_secs(1)..=Duration::from_secs(300);
        if !heartbeat.contains(&self.live_heartbeat) {
            return Err(ConfigurationError("--live-heartbeat is not from 1s to 5m".to_owned()));
        }
        if self.live_queue == 0 || self.live_replay == 0 {
            return Err(ConfigurationError(
                "--live-queue and --live-replay must be above 0".to_owned(),
            ));
        }
        Ok(())
    }
}
