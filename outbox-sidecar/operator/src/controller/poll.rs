//! Asks the sidecars how they are.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream};
use outbox_sidecar_core::status::Report;
use tokio::sync::Semaphore;

use super::{
    flow::{Observation, Observed},
    pods::{PodView, SidecarView},
};

/// A sidecar answers from memory; who takes longer is not reached.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Requests under way at a time, over all relays.
const CONCURRENCY: usize = 32;

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 1 << 20;

/// Asks; clones share the limit.
#[derive(Clone)]
pub struct Poll {
    http: reqwest::Client,
    permits: Arc<Semaphore>,
}

impl Poll {
    /// With limits of its own.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Sidecars are reached directly, whatever the environment says.
            .no_proxy()
            .pool_idle_timeout(Duration::from_secs(30))
            .build()?;
        Ok(Self { http, permits: Arc::new(Semaphore::new(CONCURRENCY)) })
    }

    /// What can be found out about the sidecars of these pods, in the order of
    /// the pods' names. Pods without a sidecar are left out.
    pub async fn observe(&self, pods: &[PodView]) -> Vec<Observed> {
        let mut asked = Vec::new();
        for pod in pods {
            if let Some(sidecar) = &pod.sidecar {
                asked.push(self.one(&pod.name, sidecar));
            }
        }
        let asked = stream::iter(asked).buffer_unordered(CONCURRENCY);
        let mut observed: Vec<_> = asked.collect().await;
        observed.sort_unstable_by(|a, b| a.pod.cmp(&b.pod));
        observed
    }

    async fn one(&self, pod: &str, sidecar: &SidecarView) -> Observed {
        let state = match (&sidecar.address, &sidecar.problem) {
            (Some(address), _) => self.ask(address).await,
            (None, Some(problem)) => Observation::Stuck(problem.clone()),
            (None, None) => Observation::Starting,
        };
        Observed { pod: pod.to_owned(), state }
    }

    async fn ask(&self, address: &str) -> Observation {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        match self.request(address).await {
            Ok(report) => Observation::Report(Box::new(report)),
            Err(problem) => Observation::Unreachable(problem),
        }
    }

    /// The problem is in words that stay the same, since they stand in a status.
    async fn request(&self, address: &str) -> Result<Report, String> {
        let say = |error: reqwest::Error| {
            if error.is_timeout() {
                format!("no answer within {} s", TIMEOUT.as_secs())
            } else if error.is_connect() {
                "no connection".to_owned()
            } else {
                "the connection broke off".to_owned()
            }
        };
        let mut answer =
            self.http.get(format!("http://{address}/status")).send().await.map_err(say)?;
        if !answer.status().is_success() {
            return Err(format!("answered {} to GET /status", answer.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(say)? {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err("its answer is too long".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body).map_err(|_| "its answer is not a status".to_owned())
    }
}
