//! Outbox tables of other tools, known by name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Claim, ColumnOptions, Engine, OnPublished, OutboxColumns, StatusColumn};
use crate::{route::TopicTemplate, sql_name::ColumnName};

/// A table made for another tool. It only sets defaults: every field may still be
/// given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::super::schema::values)]
pub enum Preset {
    /// Debezium's outbox event router: `id`, `aggregatetype`, `aggregateid`, `type`,
    /// `payload`, to the topic `outbox.event.{aggregatetype}`; rows are deleted. Its
    /// plain table says nothing of the order: add a column `position`, or name a
    /// timestamp or a UUIDv7 id in `columns.position`.
    Debezium,
    /// Open Outbox: `event_id`, `event_type`, `partition_key`, `payload`, `headers`,
    /// to the topic `{event_type}`; in the order of `created_at`; rows are marked in
    /// `status` and `delivered_at`.
    OpenOutbox,
}

/// What an outbox has where nothing is given.
pub(super) struct Defaults {
    pub(super) engine: Engine,
    pub(super) topic: TopicTemplate,
    pub(super) claim: Claim,
}

impl Defaults {
    pub(super) fn of(preset: Option<Preset>) -> Self {
        match preset {
            None => Self {
                engine: Engine::Append,
                topic: TopicTemplate::default(),
                claim: Claim::default(),
            },
            Some(Preset::Debezium) => Self {
                engine: Engine::Claim,
                topic: TopicTemplate::prefixed("outbox.event.", column("aggregatetype")),
                claim: Claim::default(),
            },
            Some(Preset::OpenOutbox) => Self {
                engine: Engine::Claim,
                topic: TopicTemplate::prefixed("", column("event_type")),
                claim: Claim {
                    on_published: OnPublished::Mark,
                    published_at: Some(column("delivered_at")),
                    status: Some(StatusColumn {
                        column: column("status"),
                        pending: vec!["PENDING".into()],
                        published: "DELIVERED".into(),
                    }),
                },
            },
        }
    }
}

/// The columns of a preset's table, or of ours, under an engine.
pub(super) fn columns(
    preset: Option<Preset>,
    engine: Engine,
    given: &ColumnOptions,
) -> OutboxColumns {
    let ours = OutboxColumns {
        position: column("position"),
        xid: column("xid"),
        bucket: (engine == Engine::Append).then(|| column("bucket")),
        id: Some(column("id")),
        key: column("aggregate_id"),
        event_type: Some(column("type")),
        payload: column("payload"),
        headers: Some(column("headers")),
        created_at: Some(column("created_at")),
    };
    given.or(match preset {
        None => ours,
        Some(Preset::Debezium) => {
            OutboxColumns { key: column("aggregateid"), headers: None, created_at: None, ..ours }
        }
        Some(Preset::OpenOutbox) => OutboxColumns {
            position: column("created_at"),
            id: Some(column("event_id")),
            key: column("partition_key"),
            event_type: Some(column("event_type")),
            ..ours
        },
    })
}

fn column(name: &'static str) -> ColumnName {
    ColumnName::known(name)
}
