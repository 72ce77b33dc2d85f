//! Dead letters, as the sidecars tell of them and as this gateway does.

use jiff::Timestamp;
use kit::Problem;
use kit::problem::FieldError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Direction;

/// What a sidecar answers.
#[derive(Debug, Deserialize)]
pub(super) struct SidecarPage {
    pub(super) items: Vec<SidecarLetter>,
    pub(super) next: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SidecarLetter {
    side: Direction,
    name: String,
    id: String,
    message_id: Option<String>,
    key: Option<String>,
    origin: Option<Origin>,
    attempts: u32,
    reason: String,
    dead_at: Timestamp,
}

/// A part of the list of dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterPage)]
pub(crate) struct LettersPage {
    /// Of outboxes first; of each by place.
    pub(super) items: Vec<Letter>,
    /// What `cursor` is to be for the next page; null on the last one.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// A row that cannot be published, or a message that cannot be applied.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetter)]
pub(crate) struct Letter {
    /// Which way it was going.
    side: Direction,
    /// The name of the outbox or inbox.
    name: String,
    /// What it is settled by: a row's position, or a message's id.
    id: String,
    /// The message's id, if it has one.
    #[schema(required)]
    message_id: Option<String>,
    /// What it is ordered by.
    #[schema(required)]
    key: Option<String>,
    /// Where in Kafka it came from; null for a row of an outbox.
    #[schema(required)]
    origin: Option<Origin>,
    /// How often it was tried.
    attempts: u32,
    /// Why it was given up.
    reason: String,
    /// When it was given up.
    #[schema(value_type = String, format = DateTime)]
    dead_at: Timestamp,
}

/// A message's place in Kafka.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = DeadLetterOrigin)]
pub(crate) struct Origin {
    /// The topic.
    topic: String,
    /// The partition.
    partition: i32,
    /// The offset.
    offset: i64,
}

impl From<SidecarLetter> for Letter {
    fn from(letter: SidecarLetter) -> Self {
        let SidecarLetter { side, name, id, message_id, key, origin, attempts, reason, dead_at } =
            letter;
        Self { side, name, id, message_id, key, origin, attempts, reason, dead_at }
    }
}

/// Names one dead letter: by `id`, and by `outbox` or `inbox`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLetterToSettle)]
pub(crate) struct ToSettle {
    /// The outbox it is of.
    #[schema(nullable = false)]
    outbox: Option<String>,
    /// The inbox it is of.
    #[schema(nullable = false)]
    inbox: Option<String>,
    /// Its `id` in the list.
    id: String,
}

impl ToSettle {
    /// What a sidecar is told, for its record with who has decided.
    ///
    /// # Errors
    ///
    /// Not exactly one of `outbox` and `inbox` is given.
    pub(super) fn by(&self, actor: &str) -> Result<Value, Problem> {
        match (&self.outbox, &self.inbox) {
            (Some(outbox), None) => Ok(json!({"actor": actor, "outbox": outbox, "id": self.id})),
            (None, Some(inbox)) => Ok(json!({"actor": actor, "inbox": inbox, "id": self.id})),
            _ => {
                let detail = "name the one that it is of: `outbox` or `inbox`, and not both";
                Err(Problem::invalid(vec![FieldError::new("outbox", detail)]))
            }
        }
    }
}

/// What became of a decision.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = DeadLetterDecision)]
pub(crate) struct Decided {
    /// How many were settled; 0 if someone else was first.
    pub(super) settled: u64,
    /// Those that cannot be tried again, as their row was deleted: `outbox/orders/17`.
    #[serde(default)]
    gone: Vec<String>,
}
