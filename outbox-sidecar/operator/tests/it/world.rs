//! A relay, its pods and their sidecars, as the tests set them up.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Resource,
    core::DeserializeGuard,
    runtime::{
        controller::Action,
        events::{Recorder, Reporter},
        reflector::{self, store::Writer},
        watcher::Event,
    },
};
use outbox_operator::{
    api::{Relay, RelaySpec},
    controller::{Context, Memory, PodMonitors, Poll, ReconcileError, reconcile},
    inject::{Sidecar, Wanted},
    metrics::Metrics,
};
use serde_json::{Value, json};

use crate::{fake_api::FakeApi, fake_sidecar::FakeSidecar, golden::defaults};

pub(crate) const RELAY: &str = "/apis/outbox-sidecar.dev/v1alpha1/namespaces/shop/relays/orders";
pub(crate) const MAP: &str = "/api/v1/namespaces/shop/configmaps/orders-outbox-sidecar";
pub(crate) const MONITOR: &str =
    "/apis/monitoring.coreos.com/v1/namespaces/shop/podmonitors/orders-outbox-sidecar";

pub(crate) fn spec() -> Value {
    json!({
        "database": { "url": { "secret": { "name": "db", "key": "url" } } },
        "kafka": { "bootstrapServers": ["kafka:9092"] },
        "outboxes": [{ "name": "o", "table": "outbox", "topic": "t" }],
    })
}

pub(crate) fn relay(spec: Value) -> Value {
    json!({
        "apiVersion": "outbox-sidecar.dev/v1alpha1", "kind": "Relay",
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": spec,
    })
}

pub(crate) struct World {
    pub(crate) api: FakeApi,
    pub(crate) context: Arc<Context>,
    pods: Writer<Pod>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (api, client) = FakeApi::start().await;
        let (store, pods) = reflector::store();
        let metrics = Metrics::new().unwrap();
        let reporter = Reporter { controller: "outbox-operator".into(), instance: None };
        let context = Context {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            defaults: defaults(),
            poll: Poll::new().unwrap(),
            pod_monitors: PodMonitors::new(true),
            metrics,
            interval: Duration::from_secs(10),
            pods: vec![store],
            memory: Memory::default(),
        };
        let mut world = Self { api, context: Arc::new(context), pods };
        world.pods.apply_watcher_event(&Event::Init);
        world.pods.apply_watcher_event(&Event::InitDone);
        world.api.put(RELAY, relay(spec()));
        world
    }

    pub(crate) fn pod(&mut self, name: &str, sidecar: Option<(&FakeSidecar, String)>) {
        let container = sidecar.as_ref().map(|(sidecar, _)| {
            json!([{ "name": "outbox-sidecar", "ports": [{ "containerPort": sidecar.port() }] }])
        });
        let fingerprint = sidecar.map(|(_, fingerprint)| fingerprint);
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": name,
                "annotations": {
                    "outbox-sidecar.dev/relay": "orders",
                    "outbox-sidecar.dev/injected": fingerprint.unwrap_or_default(),
                },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "orders", "uid": "s",
                    "controller": true,
                }],
            },
            "spec": { "containers": [], "initContainers": container },
            "status": {
                "phase": "Running", "podIP": "127.0.0.1",
                "initContainerStatuses": [{
                    "name": "outbox-sidecar", "image": "", "imageID": "", "ready": true,
                    "restartCount": 0, "state": { "running": {} },
                }],
            },
        }))
        .unwrap();
        self.pods.apply_watcher_event(&Event::Apply(pod));
    }

    /// A pod that does not get as far as its containers, for what the kubelet
    /// has told so many times.
    pub(crate) fn pod_without_its_volumes(&mut self, name: &str, note: &str, times: i32) {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": name, "namespace": "shop", "uid": name,
                "annotations": {
                    "outbox-sidecar.dev/relay": "orders",
                    "outbox-sidecar.dev/injected": self.current(),
                },
            },
            "spec": { "containers": [], "initContainers": [{ "name": "outbox-sidecar" }] },
            "status": {
                "phase": "Pending",
                "initContainerStatuses": [{
                    "name": "outbox-sidecar", "image": "", "imageID": "", "ready": false,
                    "restartCount": 0, "state": { "waiting": { "reason": "PodInitializing" } },
                }],
            },
        }))
        .unwrap();
        self.pods.apply_watcher_event(&Event::Apply(pod));
        let event = json!({
            "regarding": { "kind": "Pod", "name": name }, "reason": "FailedMount", "note": note,
            "eventTime": null, "deprecatedCount": times,
        });
        self.api.put(&format!("/apis/events.k8s.io/v1/namespaces/shop/events/{name}.1"), event);
    }

    pub(crate) fn no_pod(&mut self, name: &str) {
        let mut pod = Pod::default();
        *pod.meta_mut() = kube::core::ObjectMeta {
            name: Some(name.into()),
            namespace: Some("shop".into()),
            ..Default::default()
        };
        self.pods.apply_watcher_event(&Event::Delete(pod));
    }

    /// What a pod would be injected with now.
    pub(crate) fn current(&self) -> String {
        self.fingerprint(&spec())
    }

    pub(crate) fn fingerprint(&self, spec: &Value) -> String {
        let mounted = RelaySpec(spec.clone()).mounted().unwrap();
        let wanted = Wanted { relay: "orders", mounted: &mounted };
        Sidecar::new(&Value::Null, wanted, &defaults()).fingerprint.to_string()
    }

    /// As the controller hands it over.
    pub(crate) fn object(&self) -> Arc<DeserializeGuard<Relay>> {
        Arc::new(serde_json::from_value(self.api.get(RELAY).unwrap()).unwrap())
    }

    pub(crate) async fn look(&self) -> Result<Action, ReconcileError> {
        reconcile(self.object(), Arc::clone(&self.context)).await
    }

    /// A look at which nothing may fail; twice, as trouble is told when it lasts.
    pub(crate) async fn settle(&self) {
        self.look().await.unwrap();
        self.look().await.unwrap();
    }

    pub(crate) fn condition(&self, kind: &str) -> Value {
        let relay = self.api.get(RELAY).unwrap();
        let conditions = relay["status"]["conditions"].as_array().unwrap();
        conditions.iter().find(|condition| condition["type"] == kind).unwrap().clone()
    }

    /// `status reason` of a condition.
    pub(crate) fn state(&self, kind: &str) -> String {
        let condition = self.condition(kind);
        format!(
            "{} {}",
            condition["status"].as_str().unwrap(),
            condition["reason"].as_str().unwrap()
        )
    }

    pub(crate) fn message(&self, kind: &str) -> String {
        self.condition(kind)["message"].as_str().unwrap().to_owned()
    }

    /// As if every condition had been so since then.
    pub(crate) fn backdate(&self, time: &str) {
        let mut relay = self.api.get(RELAY).unwrap();
        for condition in relay["status"]["conditions"].as_array_mut().unwrap() {
            condition["lastTransitionTime"] = json!(time);
        }
        self.api.put(RELAY, relay);
    }

    pub(crate) fn failures(&self) -> u32 {
        let key = ("shop".to_owned(), "orders".to_owned());
        self.context.memory.with(&key, |remembered| remembered.failures)
    }

    pub(crate) fn change_spec(&self, change: impl FnOnce(&mut Value)) {
        let mut relay = self.api.get(RELAY).unwrap();
        change(&mut relay["spec"]);
        self.api.put(RELAY, relay);
    }
}

/// A relay with one pod whose sidecar publishes everything.
pub(crate) async fn flowing() -> (World, FakeSidecar) {
    let mut world = World::new().await;
    let sidecar = FakeSidecar::start().await;
    sidecar.says(json!({ "outboxes": { "o": { "leasedBuckets": 8 } } }));
    let fingerprint = world.current();
    world.pod("orders-0", Some((&sidecar, fingerprint)));
    world.settle().await;
    (world, sidecar)
}
