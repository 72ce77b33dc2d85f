//! A sidecar that says what it is told to say.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::get};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub(crate) struct FakeSidecar {
    port: u16,
    says: Arc<Mutex<Value>>,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl FakeSidecar {
    pub(crate) async fn start() -> Self {
        let says = Arc::new(Mutex::new(Value::Null));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::clone(&says);
        let router = Router::new()
            .route("/status", get(move || async move { Json(answer.lock().unwrap().clone()) }));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                () = stopped.cancelled() => {}
            }
        });
        Self { port, says, stop, serving }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn says(&self, report: Value) {
        *self.says.lock().unwrap() = report;
    }

    /// Takes no more connections.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}
