//! What the `claim` engine does with rows that are published.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{InvalidConfig, columns::given};
use crate::sql_name::{ColumnName, literal};

/// What becomes of published rows, as given. What is not given has the default
/// of the [`Preset`](super::Preset), or the one said here.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(transform = super::super::schema::structural)]
pub struct ClaimOptions {
    /// Whether a published row is deleted or marked. Default: `delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnPublished")]
    pub on_published: Option<OnPublished>,
    /// A timestamp column that is null until the row is published. Default: none.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<ColumnName>")]
    pub published_at: Option<Option<ColumnName>>,
    /// A column that tells by its value whether the row is published. Default: none.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<StatusColumn>")]
    pub status: Option<Option<StatusColumn>>,
}

/// What becomes of published rows, with all defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Whether a published row is deleted or marked.
    pub on_published: OnPublished,
    /// A timestamp column that is null until the row is published.
    pub published_at: Option<ColumnName>,
    /// A column that tells by its value whether the row is published.
    pub status: Option<StatusColumn>,
}

/// Whether a published row is deleted or marked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::super::schema::values)]
pub enum OnPublished {
    /// It is deleted.
    #[default]
    Delete,
    /// It is marked in `publishedAt`, `status` or both, and deleted after the
    /// retention.
    Mark,
}

/// A column that tells by its value whether a row is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = super::super::schema::structural)]
pub struct StatusColumn {
    /// Its name.
    pub column: ColumnName,
    /// The values of rows that wait to be published.
    #[schemars(length(min = 1))]
    pub pending: Vec<String>,
    /// The value of a published row.
    pub published: String,
}

impl ClaimOptions {
    /// Fills in what is not given.
    pub(super) fn or(&self, defaults: Claim) -> Claim {
        Claim {
            on_published: self.on_published.unwrap_or(defaults.on_published),
            published_at: self.published_at.clone().unwrap_or(defaults.published_at),
            status: self.status.clone().unwrap_or(defaults.status),
        }
    }

    /// Whether anything is given.
    pub(super) fn is_given(&self) -> bool {
        *self != Self::default()
    }
}

impl Claim {
    /// The SQL condition that a row waits to be published.
    pub fn unpublished(&self) -> String {
        let mut conditions = Vec::new();
        if let Some(column) = &self.published_at {
            conditions.push(format!("{} IS NULL", column.quoted()));
        }
        if let Some(status) = &self.status {
            let values: Vec<_> = status.pending.iter().map(|value| literal(value)).collect();
            conditions.push(format!("{} IN ({})", status.column.quoted(), values.join(", ")));
        }
        if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
    }

    pub(super) fn validate(&self, path: &str) -> Result<(), InvalidConfig> {
        let wrong = |field: &str, problem: &str| {
            Err(InvalidConfig::at_path(format!("{path}.{field}"), problem))
        };
        if self.on_published == OnPublished::Mark
            && self.published_at.is_none()
            && self.status.is_none()
        {
            return wrong("claim", "to mark rows, name `publishedAt`, `status` or both");
        }
        let Some(status) = &self.status else { return Ok(()) };
        if status.pending.is_empty() {
            return wrong("claim.status.pending", "name at least one value");
        }
        if status.pending.contains(&status.published) {
            return wrong("claim.status.published", "is a value of `pending` too");
        }
        // The values stand in statements, where the planner compares them with the
        // conditions of partial indexes.
        let unfit = |value: &&String| value.chars().any(|c| c == '\\' || c.is_control());
        if status.pending.iter().chain([&status.published]).any(|value| unfit(&value)) {
            return wrong("claim.status", "a value holds a backslash or a control character");
        }
        Ok(())
    }
}
