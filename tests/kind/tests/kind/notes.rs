//! The Python example, as a workload of other people's with a sidecar.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kind_tests::{Cluster, Namespace, PATIENCE, apply::manifest};
use serde_json::{Value, json};
use uuid::Uuid;

/// The manifest that a user applies.
pub(crate) const MANIFEST: &str = "examples/python-notes/manifest.yaml";

/// Selects the pod.
pub(crate) const POD: &str = "app.kubernetes.io/name=notes";

/// An installation in a namespace of its own.
pub(crate) struct Notes {
    pub(crate) namespace: Namespace,
    relay: Value,
}

impl Notes {
    /// Applies the manifest, with a topic that nobody else has.
    pub(crate) async fn install(cluster: &Cluster, namespace: &str) -> Self {
        let namespace = Namespace::fresh(cluster, namespace).await.unwrap();
        let mut objects = manifest(MANIFEST).unwrap();
        let topic = format!("notes-{}", Uuid::new_v4());
        let relay = objects.iter_mut().find(|object| object["kind"] == "Relay").unwrap();
        relay["spec"]["outboxes"][0]["topic"] = json!(topic);
        relay["spec"]["inboxes"][0]["topics"] = json!([topic]);
        relay["spec"]["inboxes"][0]["consumerGroup"] = json!(topic);
        let relay = relay.clone();
        namespace.apply(&objects).await.unwrap();
        let notes = Self { namespace, relay };
        notes.namespace.condition("notes", "Ready", "True").await.unwrap();
        notes
    }

    /// The `spec` that the relay was installed with.
    pub(crate) fn spec(&self) -> Value {
        self.relay["spec"].clone()
    }

    /// Gives the relay another `spec`.
    pub(crate) async fn configure(&self, spec: &Value) -> anyhow::Result<()> {
        self.namespace.change_relay("notes", &json!({ "spec": spec })).await
    }

    pub(crate) async fn pod(&self) -> Pod {
        self.namespace.ready_pod(POD).await.unwrap()
    }

    /// Writes a note and waits until it has come back through Kafka; gives it
    /// as it is announced.
    pub(crate) async fn round_trip(&self, text: &str) -> Value {
        self.pod().await;
        let forward = self.namespace.forward_service("notes", 80).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let write = self.namespace.until("a note is taken", PATIENCE, async || {
            let note = http.post(format!("{}/notes", forward.url())).json(&json!({ "text": text }));
            let answer = note.send().await?.error_for_status()?.json::<Value>().await?;
            answer["id"].as_str().map(str::to_owned).context("no id")
        });
        let id = write.await.unwrap();
        let read = self.namespace.until("the note is announced", PATIENCE, async || {
            let answer = http.get(format!("{}/announced", forward.url())).send().await?;
            let all: Vec<Value> = answer.error_for_status()?.json().await?;
            let mut found = all.into_iter().filter(|note| note["id"] == *id);
            let first = found.next().context("it is not")?;
            ensure!(found.next().is_none(), "it is announced twice");
            Ok(first)
        });
        read.await.unwrap()
    }
}
