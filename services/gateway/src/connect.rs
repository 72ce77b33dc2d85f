//! Connecting to a service, again where that was refused.
//!
//! A service that is being replaced refuses connections for a moment, until the
//! others are told that it has gone. Nothing was sent on a connection that was
//! refused, so that whatever the request is, it may be tried again.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use axum::http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::Sleep;
use tower::retry::{Policy, Retry};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The wait before the first repetition; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(25);

/// So often at most: less than half a second of waiting in all.
const REPETITIONS: u32 = 4;

/// Connects, several times if need be.
pub(crate) type Connector = Retry<WhileRefused, HttpConnector>;

pub(crate) fn connector() -> Connector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_keepalive(Some(Duration::from_secs(30)));
    Retry::new(WhileRefused::default(), connector)
}

/// Repeats connecting a few times while it is refused.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WhileRefused {
    repeated: u32,
}

impl<Connection, E: Error + 'static> Policy<Uri, Connection, E> for WhileRefused {
    type Future = Pin<Box<Sleep>>;

    fn retry(&mut self, _: &mut Uri, result: &mut Result<Connection, E>) -> Option<Self::Future> {
        let refused = result.as_ref().err().is_some_and(|error| is_refused(error));
        if !refused || self.repeated >= REPETITIONS {
            return None;
        }
        let wait = FIRST_WAIT * 2_u32.pow(self.repeated);
        self.repeated += 1;
        Some(Box::pin(tokio::time::sleep(wait)))
    }

    fn clone_request(&mut self, address: &Uri) -> Option<Uri> {
        Some(address.clone())
    }
}

fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(cause) = source {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tower::{ServiceExt, service_fn};

    use super::*;

    /// How often is connected when the first so many times fail, and whether it succeeds.
    async fn connect(failing: u32, kind: io::ErrorKind) -> (u32, bool) {
        let tried = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&tried);
        let service = service_fn(move |_: Uri| {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            std::future::ready(if number < failing { Err(io::Error::from(kind)) } else { Ok(()) })
        });
        let made = Retry::new(WhileRefused::default(), service).oneshot(Uri::default()).await;
        (tried.load(Ordering::SeqCst), made.is_ok())
    }

    #[tokio::test]
    async fn a_refused_connection_is_tried_again_a_few_times_and_no_other() {
        assert_eq!(connect(0, io::ErrorKind::ConnectionRefused).await, (1, true));
        assert_eq!(connect(3, io::ErrorKind::ConnectionRefused).await, (4, true));
        assert_eq!(connect(9, io::ErrorKind::ConnectionRefused).await, (5, false));
        assert_eq!(connect(9, io::ErrorKind::TimedOut).await, (1, false));
    }
}
