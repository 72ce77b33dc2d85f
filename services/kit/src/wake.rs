//! Waking the sidecar after a commit.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, Request, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::settings::{ConfigurationError, HttpUrl};
use crate::telemetry::Chain;

/// How long one poke may take; the sidecar's own poll is the safety net.
const TIMEOUT: Duration = Duration::from_secs(1);
/// How long the sidecar is left alone after a poke failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Tells the sidecar that there are new outbox rows.
///
/// Waking costs the caller nothing: a background task sends
/// `POST /wake`, one at a time, and wakes that come meanwhile are joined into
/// one. A wake that gets lost only means that the rows wait for the
/// sidecar's next poll.
#[derive(Clone, Debug)]
pub struct Wake(Option<Arc<Notify>>);

impl Wake {
    /// Wakes nobody.
    #[must_use]
    pub fn disabled() -> Self {
        Self(None)
    }

    /// Starts the background task, which ends with `stop`. Needs a Tokio
    /// runtime.
    ///
    /// # Errors
    ///
    /// The URL cannot be used.
    pub fn start(
        url: Option<&HttpUrl>,
        stop: CancellationToken,
    ) -> Result<Self, ConfigurationError> {
        let Some(url) = url else {
            return Ok(Self::disabled());
        };
        let uri: Uri = format!("{url}/wake")
            .parse()
            .map_err(|err| ConfigurationError(format!("the sidecar URL {url}: {err}")))?;
        let signal = Arc::new(Notify::new());
        let task = Task {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(15))
                .build_http(),
            uri,
            signal: Arc::clone(&signal),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task.run() => {}
            }
        });
        Ok(Self(Some(signal)))
    }

    /// Asks for a poke. Returns at once.
    pub fn wake(&self) {
        if let Some(signal) = &self.0 {
            signal.notify_one();
        }
    }
}

struct Task {
    client: Client<HttpConnector, Empty<Bytes>>,
    uri: Uri,
    signal: Arc<Notify>,
}

impl Task {
    async fn run(self) {
        let mut reachable = true;
        loop {
            self.signal.notified().await;
            match self.poke().await {
                Ok(()) => {
                    if !reachable {
                        tracing::info!(sidecar = %self.uri, "sidecar is reachable again");
                    }
                    reachable = true;
                }
                Err(reason) => {
                    if reachable {
                        tracing::warn!(
                            sidecar = %self.uri,
                            error = %reason,
                            "sidecar could not be woken, outbox rows wait for its next poll"
                        );
                    }
                    reachable = false;
                    tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
                }
            }
        }
    }

    async fn poke(&self) -> Result<(), String> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let exchange = async {
            let response =
                self.client.request(request).await.map_err(|err| Chain(&err).to_string())?;
            let status = response.status();
            // Reading to the end lets the connection be used again.
            let _ = response.into_body().collect().await;
            if status.is_success() { Ok(()) } else { Err(format!("answered {status}")) }
        };
        tokio::time::timeout(TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::routing::post;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn wakes_during_a_poke_are_joined_into_one() {
        let seen = Arc::new(AtomicUsize::new(0));
        let release = Arc::new(tokio::sync::Semaphore::new(0));
        let handler = {
            let (seen, release) = (Arc::clone(&seen), Arc::clone(&release));
            move || async move {
                seen.fetch_add(1, Ordering::SeqCst);
                release.acquire().await.unwrap().forget();
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = HttpUrl::from(listener.local_addr().unwrap());
        tokio::spawn(async move {
            axum::serve(listener, Router::new().route("/wake", post(handler))).await
        });

        let stop = CancellationToken::new();
        let _stop_at_the_end = stop.clone().drop_guard();
        let wake = Wake::start(Some(&url), stop).unwrap();
        let reached = |count| {
            let seen = Arc::clone(&seen);
            tokio::time::timeout(Duration::from_secs(10), async move {
                while seen.load(Ordering::SeqCst) < count {
                    tokio::task::yield_now().await;
                }
            })
        };
        wake.wake();
        reached(1).await.unwrap();
        for _ in 0..100 {
            wake.wake();
        }
        release.add_permits(2);
        reached(2).await.unwrap();
        wake.wake();
        release.add_permits(1);
        reached(3).await.unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 3);
    }
}
