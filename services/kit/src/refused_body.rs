//! Bodies that were refused before they were read.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};

/// The most that is read of a body nobody wants, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The longest wait for it.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// Puts a body into a wrapper that, when dropped unread, takes in the rest in
/// the background: at most 1 MiB, for at most 2 seconds.
///
/// A server that answers early and closes while the client still sends makes
/// the client fail with a broken pipe or a reset, instead of reading the
/// answer; or makes the *next* request of a kept connection fail (RFC 9112
/// §9.6). A body larger than the bound ends with a closed connection all the
/// same.
pub(crate) fn taken_in_when_dropped(body: Body) -> Body {
    if body.is_end_stream() { body } else { Body::new(TakenIn(body)) }
}

struct TakenIn(Body);

impl Drop for TakenIn {
    fn drop(&mut self) {
        if self.0.is_end_stream() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut rest = Limited::new(std::mem::take(&mut self.0), MAX_BYTES);
        runtime.spawn(tokio::time::timeout(MAX_WAIT, async move {
            while let Some(Ok(_)) = rest.frame().await {}
        }));
    }
}

impl HttpBody for TakenIn {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
