//! The `ConfigMap` that a relay's sidecars mount.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{Resource as _, ResourceExt as _};
use outbox_sidecar_core::config::cluster::Mounted;
use serde_json::{Value, json};

use crate::{
    api::{Relay, RelaySpec},
    names::{self, CONFIG_KEY, MANAGED_BY, OPERATOR, RELAY, SPEC_KEY},
    yaml::{self, YamlError},
};

/// Its entries: the sidecar's configuration, and the `spec` it was made from.
///
/// # Errors
/// A value has no form in YAML, which no valid configuration has.
pub fn data(spec: &RelaySpec, mounted: &Mounted) -> Result<BTreeMap<String, String>, YamlError> {
    let config = format!(
        "# Made from the Relay's spec; changes here are overwritten.\n{}",
        yaml::print(&mounted.config)?
    );
    Ok([(CONFIG_KEY.to_owned(), config), (SPEC_KEY.to_owned(), format!("{:#}\n", spec.0))].into())
}

/// What is applied for a relay.
pub(super) fn object(relay: &Relay, data: &BTreeMap<String, String>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names::config_map(&relay.name_any()),
            "namespace": relay.namespace(),
            "labels": { MANAGED_BY: OPERATOR, RELAY: relay.name_any() },
            "ownerReferences": [owner(relay)],
        },
        "data": data,
    })
}

/// The relay as the owner of what is made for it.
pub(super) fn owner(relay: &Relay) -> Option<OwnerReference> {
    relay.controller_owner_ref(&())
}

/// Whose a `ConfigMap` with the relay's name for it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The relay's.
    Own,
    /// Nobody's: it was the relay's of this name, which was deleted without it.
    Orphaned,
    /// A deleted relay's of this name; it is about to be deleted itself.
    Predecessor,
    /// Somebody else's.
    Foreign,
}

pub(crate) fn ownership(map: &ConfigMap, relay: &Relay) -> Ownership {
    let owners = map.owner_references();
    if owners.iter().any(|owner| Some(&owner.uid) == relay.metadata.uid.as_ref()) {
        return Ownership::Own;
    }
    let label = |key: &str| map.labels().get(key).map(String::as_str);
    let ours = label(MANAGED_BY) == Some(OPERATOR) && label(RELAY) == Some(&relay.name_any());
    if ours && owners.is_empty() {
        Ownership::Orphaned
    } else if ours && owners.iter().all(|o| o.kind == names::KIND && o.name == relay.name_any()) {
        Ownership::Predecessor
    } else {
        Ownership::Foreign
    }
}

/// The `spec` the map was last made from.
pub fn last_valid_spec(map: &ConfigMap) -> Option<RelaySpec> {
    serde_json::from_str(map.data.as_ref()?.get(SPEC_KEY)?).ok()
}

/// Whether the map is as it should be, so that it need not be written.
pub(super) fn is_current(map: &ConfigMap, data: &BTreeMap<String, String>) -> bool {
    map.data.as_ref() == Some(data) && map.labels().contains_key(MANAGED_BY)
}

#[cfg(test)]
mod tests {
    use outbox_sidecar_core::config::Config;

    use super::*;

    #[test]
    fn the_sidecar_reads_the_configuration_that_the_operator_compares_with() {
        let spec = RelaySpec(json!({
            "database": { "url": { "secret": { "name": "db", "key": "url" } } },
            "kafka": { "bootstrapServers": ["kafka:9092"], "properties": { "linger.ms": "5" } },
            "outboxes": [{ "name": "o", "table": "s.outbox", "topic": "a.{b}", "poll": { "maximum": "90s" } }],
            "inboxes": [{
                "name": "i", "table": "inbox", "topics": ["yes"], "consumerGroup": "0444",
                "deliver": { "url": "http://127.0.0.1:1/inbox" },
            }],
        }));
        let mounted = spec.mounted().unwrap();
        let data = data(&spec, &mounted).unwrap();
        let read = Config::parse(&data[CONFIG_KEY]).unwrap();
        assert_eq!(read.fingerprint(), mounted.config.fingerprint());
        let map = ConfigMap { data: Some(data), ..ConfigMap::default() };
        assert_eq!(last_valid_spec(&map), Some(spec));
    }
}
