//! One request to the application, and what its answer means.

use std::{collections::HashMap, sync::Arc, time::Duration};

use outbox_sidecar_core::{
    config::Requests,
    delivery::Outcome,
    event::{self, BATCH_MEDIA_TYPE, DeliveryAnswer, InboxMessage},
};
use reqwest::{StatusCode, header::CONTENT_TYPE};
use uuid::Uuid;

use super::http::Clients;
use crate::error::{Error, chain};

/// How much of an answer is read.
const MAXIMUM_ANSWER_BYTES: usize = 4 << 20;

/// A request that failed as a whole.
pub enum Refusal {
    /// No connection: the messages are not to blame.
    Unreachable(String),
    /// One of the messages may be why.
    Failed(String),
    /// There was no answer. One of the messages may be why.
    BrokeOff {
        /// Whether it took too long.
        timed_out: bool,
        /// What happened.
        problem: String,
    },
    /// It was not sent at all.
    NotBegun(Error),
}

impl Refusal {
    /// What it means for each of the messages.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Unreachable(_) | Self::NotBegun(_) => Outcome::Outage,
            Self::Failed(_) => Outcome::Suspect,
            Self::BrokeOff { timed_out, problem } => {
                Outcome::BrokeOff { timed_out: *timed_out, problem: problem.clone() }
            }
        }
    }

    /// As told to people.
    pub fn problem(&self) -> String {
        match self {
            Self::Unreachable(problem) | Self::Failed(problem) | Self::BrokeOff { problem, .. } => {
                problem.clone()
            }
            Self::NotBegun(error) => chain(error),
        }
    }

    fn of(error: &reqwest::Error) -> Self {
        let problem = chain(error);
        if error.is_connect() {
            Self::Unreachable(problem)
        } else if error.is_builder() {
            Self::Failed(problem)
        } else {
            Self::BrokeOff { timed_out: error.is_timeout(), problem }
        }
    }
}

/// The application's HTTP endpoint.
#[derive(Clone)]
pub struct Endpoint {
    http: Clients,
    url: Arc<str>,
    timeout: Duration,
}

impl Endpoint {
    /// Connects lazily.
    pub fn new(http: Clients, requests: &Requests) -> Self {
        Self { http, url: requests.url.as_str().into(), timeout: requests.timeout.get() }
    }

    /// What the application said of each message, or why it said nothing. On a
    /// connection of its own, what is lost is lost by these messages.
    ///
    /// # Errors
    /// There is no answer, or none as documented.
    pub async fn deliver<'a>(
        &self,
        messages: impl ExactSizeIterator<Item = &'a InboxMessage> + Clone,
        own_connection: bool,
    ) -> Result<HashMap<Uuid, Outcome>, Refusal> {
        let body = event::batch_body(messages.clone())
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let http = if own_connection { &self.http.own } else { &self.http.kept };
        let response = http
            .post(&*self.url)
            .timeout(self.timeout)
            .header(CONTENT_TYPE, BATCH_MEDIA_TYPE)
            .body(body)
            .send()
            .await
            .map_err(|error| Refusal::of(&error))?;
        let status = response.status();
        if status == StatusCode::PAYLOAD_TOO_LARGE
            && messages.len() == 1
            && let Some(only) = messages.last()
        {
            let reason = format!("the application refuses its size with {status}");
            return Ok(HashMap::from([(only.id, Outcome::Rejected(reason))]));
        }
        if status != StatusCode::OK {
            return Err(Refusal::Failed(format!("POST {} answered {status}", self.url)));
        }
        let answer = read(response).await?;
        DeliveryAnswer::parse(&answer).map(DeliveryAnswer::outcomes).map_err(|error| {
            Refusal::Failed(format!(
                "POST {} answered something else than results: {error}",
                self.url
            ))
        })
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, Refusal> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Refusal::of(&error))? {
        if body.len() + piece.len() > MAXIMUM_ANSWER_BYTES {
            let problem = format!("the answer is longer than {MAXIMUM_ANSWER_BYTES} bytes");
            return Err(Refusal::Failed(problem));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
