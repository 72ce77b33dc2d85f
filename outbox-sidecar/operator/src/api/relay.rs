//! The object as it comes from the API server.

use std::borrow::Cow;

use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::Resource;
use outbox_sidecar_core::config::{Config, InvalidConfig, cluster::Mounted};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Condition;
use crate::names::{GROUP, KIND, PLURAL, VERSION};

/// A sidecar's configuration in a cluster, and how it fares.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Relay {
    /// Name, namespace and so on.
    pub metadata: ObjectMeta,
    /// What is wanted.
    #[serde(default)]
    pub spec: RelaySpec,
    /// What was found, written by the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RelayStatus>,
}

/// A [`Config`], not read yet: one that cannot be read is to be reported in the
/// status of its object, which must be readable for that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RelaySpec(pub Value);

/// How a relay fares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RelayStatus {
    /// The generation of the `spec` that all of this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One of each type.
    pub conditions: Vec<Condition>,
    /// The pods that ask for this relay.
    pub pods: PodCounts,
}

/// Pods that are neither finished nor being deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodCounts {
    /// How many ask for a sidecar.
    pub desired: i32,
    /// How many of them have it.
    pub injected: i32,
}

/// A `spec` that no sidecar can run with.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSpec {
    /// A value is not of its field's form.
    #[error("{path}: {problem}")]
    Form {
        /// Where, from `spec` on.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// Values that are well-formed and cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidConfig),
}

impl RelaySpec {
    /// The configuration, ready to be mounted into a pod.
    ///
    /// # Errors
    /// The first thing that is wrong, with the path of its field.
    pub fn mounted(&self) -> Result<Mounted, InvalidSpec> {
        let config: Config = serde_path_to_error::deserialize(&self.0).map_err(|error| {
            let path = match error.path().to_string() {
                root if root == "." => "spec".to_owned(),
                path => path,
            };
            InvalidSpec::Form { path, problem: error.into_inner().to_string() }
        })?;
        Ok(config.in_cluster()?)
    }
}

impl Resource for Relay {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(_: &()) -> Cow<'_, str> {
        KIND.into()
    }

    fn group(_: &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version(_: &()) -> Cow<'_, str> {
        VERSION.into()
    }

    fn plural(_: &()) -> Cow<'_, str> {
        PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Value {
        json!({
            "database": { "url": { "secret": { "name": "db", "key": "url" } } },
            "kafka": { "bootstrapServers": ["kafka:9092"] },
            "outboxes": [{ "name": "orders", "table": "outbox", "topic": "orders" }],
        })
    }

    fn problem(change: impl FnOnce(&mut Value)) -> String {
        let mut spec = spec();
        change(&mut spec);
        RelaySpec(spec).mounted().unwrap_err().to_string()
    }

    #[test]
    fn a_spec_is_a_configuration_with_what_has_to_be_mounted() {
        let mounted = RelaySpec(spec()).mounted().unwrap();
        let paths: Vec<_> = mounted.sources.iter().map(|source| source.path()).collect();
        assert_eq!(paths, ["secret/db/url"]);
        assert_eq!(mounted.config.admin.listen.to_string(), "0.0.0.0:9100");
    }

    #[test]
    fn a_mistake_is_told_with_the_path_of_its_field() {
        let message = problem(|spec| spec["outboxes"][0]["lease"] = json!("soon"));
        assert!(message.starts_with("outboxes[0].lease: `soon` is not a duration"), "{message}");
        let message = problem(|spec| spec["kafka"]["bootstrapServers"] = json!(["kafka"]));
        assert_eq!(message, "kafka.bootstrapServers[0]: `kafka` is not host:port");
        let message = problem(|spec| spec["database"]["url"] = json!({ "env": "DATABASE_URL" }));
        assert!(message.starts_with("database.url: `env` cannot be used in a Relay"), "{message}");
        let message = problem(|spec| *spec = Value::Null);
        assert!(message.starts_with("spec: "), "{message}");
    }
}
