//! A `PodMonitor` for each relay, where the Prometheus operator is installed.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::{
    Api, Client, ResourceExt as _,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

use super::config_map;
use crate::{
    api::Relay,
    names::{self, FIELD_MANAGER, MANAGED_BY, OPERATOR, PORT, RELAY},
};

/// The API of the Prometheus operator.
const API: &str = "monitoring.coreos.com/v1";

/// How often it is looked whether the API is there.
const LOOK_AGAIN: Duration = Duration::from_secs(5 * 60);

/// Makes PodMonitors, where they are known.
pub struct PodMonitors {
    wanted: bool,
    known: Mutex<Option<(Instant, bool)>>,
}

impl PodMonitors {
    /// Whether to make any at all.
    pub fn new(wanted: bool) -> Self {
        Self { wanted, known: Mutex::new(None) }
    }

    /// Makes or mends the relay's.
    ///
    /// # Errors
    /// The API server refused or did not answer.
    pub async fn ensure(&self, client: &Client, relay: &Relay) -> Result<(), kube::Error> {
        if !self.wanted || !self.is_known(client).await? {
            return Ok(());
        }
        let namespace = relay.namespace().unwrap_or_default();
        let monitors =
            Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &resource());
        let name = names::pod_monitor(&relay.name_any());
        let wanted = object(relay);
        if let Some(found) = monitors.get_opt(&name).await? {
            let owned = found
                .owner_references()
                .iter()
                .any(|o| Some(&o.uid) == relay.metadata.uid.as_ref());
            if !owned || found.data.get("spec") == wanted.get("spec") {
                // Somebody else's, or as it should be.
                return Ok(());
            }
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        monitors.patch(&name, &params, &Patch::Apply(&wanted)).await.map(drop)
    }

    async fn is_known(&self, client: &Client) -> Result<bool, kube::Error> {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, known)) = *lock()
            && at.elapsed() < LOOK_AGAIN
        {
            return Ok(known);
        }
        let known = match client.list_api_group_resources(API).await {
            Ok(resources) => {
                resources.resources.iter().any(|resource| resource.kind == "PodMonitor")
            }
            Err(kube::Error::Api(status)) if status.code == 404 => false,
            Err(error) => return Err(error),
        };
        *lock() = Some((Instant::now(), known));
        Ok(known)
    }
}

fn resource() -> ApiResource {
    ApiResource {
        group: "monitoring.coreos.com".into(),
        version: "v1".into(),
        api_version: API.into(),
        kind: "PodMonitor".into(),
        plural: "podmonitors".into(),
    }
}

fn object(relay: &Relay) -> Value {
    let name = relay.name_any();
    json!({
        "apiVersion": API,
        "kind": "PodMonitor",
        "metadata": {
            "name": names::pod_monitor(&name),
            "namespace": relay.namespace(),
            "labels": { MANAGED_BY: OPERATOR, RELAY: name },
            "ownerReferences": [config_map::owner(relay)],
        },
        "spec": {
            "selector": { "matchLabels": { RELAY: name } },
            "podMetricsEndpoints": [{ "port": PORT, "path": "/metrics" }],
        },
    })
}
