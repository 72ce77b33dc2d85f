//! Looks at relays, against an API server in this process.

use std::sync::Arc;

use kube::{ResourceExt, core::DeserializeGuard, runtime::controller::Action};
use outbox_operator::{
    api::Relay,
    controller::{on_error, reconcile},
};
use serde_json::json;

use crate::world::{MAP, MONITOR, RELAY, World, flowing, relay, spec};

#[tokio::test]
async fn a_new_relay_gets_its_configuration_and_a_status() {
    let world = World::new().await;
    world.look().await.unwrap();
    let map = world.api.get(MAP).unwrap();
    assert!(
        map["data"]["config.yaml"].as_str().unwrap().contains("/etc/outbox-sidecar/secret/db/url")
    );
    let relay = world.api.get(RELAY).unwrap();
    assert_eq!(map["metadata"]["ownerReferences"][0]["uid"], relay["metadata"]["uid"]);
    assert_eq!(map["metadata"]["ownerReferences"][0]["kind"], "Relay");
    assert_eq!(world.state("Ready"), "False NoPods");
    assert_eq!(relay["status"]["observedGeneration"], 1);
    assert_eq!(world.condition("Ready")["observedGeneration"], 1);
    assert_eq!(relay["status"]["pods"], json!({ "desired": 0, "injected": 0 }));
}

#[tokio::test]
async fn a_relay_whose_sidecars_publish_is_ready() {
    let (world, _sidecar) = flowing().await;
    assert_eq!(world.state("Ready"), "True AllFlowing");
    assert_eq!(world.state("Injected"), "True AllInjected");
    assert_eq!(world.state("OutboxFlowing"), "True Flowing");
    assert_eq!(world.state("InboxFlowing"), "True NotConfigured");
    assert_eq!(
        world.api.get(RELAY).unwrap()["status"]["pods"],
        json!({ "desired": 1, "injected": 1 })
    );
}

#[tokio::test]
async fn nothing_is_written_while_nothing_changes() {
    let (world, _sidecar) = flowing().await;
    let before = world.api.writes("").len();
    for _ in 0..5 {
        world.look().await.unwrap();
    }
    assert_eq!(world.api.writes("").len(), before);
}

#[tokio::test]
async fn a_mistake_in_a_relay_is_told_and_changes_nothing_that_runs() {
    let (world, _sidecar) = flowing().await;
    let before = world.api.get(MAP);
    world.change_spec(|spec| spec["outboxes"][0]["lease"] = json!("soon"));
    world.settle().await;
    assert_eq!(world.state("Ready"), "False InvalidSpec");
    let message = world.message("Ready");
    assert!(message.starts_with("outboxes[0].lease: `soon` is not a duration"), "{message}");
    assert!(message.ends_with("the last valid configuration stays in use"), "{message}");
    assert_eq!(world.condition("Ready")["observedGeneration"], 2);
    assert_eq!(world.api.get(MAP), before);
    // What runs by the last valid configuration is judged by it.
    assert_eq!(world.state("OutboxFlowing"), "True Flowing");
    assert_eq!(world.state("Injected"), "True AllInjected");

    world.change_spec(|spec| *spec = crate::world::spec());
    world.settle().await;
    assert_eq!(world.state("Ready"), "True AllFlowing");
    let events = world.api.events();
    assert!(
        events.iter().any(|e| e.starts_with("Relay InvalidSpec Ready is False: outboxes[0].lease")),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_relay_that_never_was_valid_says_so() {
    let world = World::new().await;
    world.change_spec(|spec| spec["kafka"]["bootstrapServers"] = json!([]));
    world.look().await.unwrap();
    assert_eq!(world.state("Ready"), "False InvalidSpec");
    assert!(world.message("Ready").ends_with("there is no earlier valid configuration"));
    assert_eq!(world.api.get(MAP), None);
}

#[tokio::test]
async fn a_config_map_of_somebody_else_is_left_alone() {
    let world = World::new().await;
    world.api.put(MAP, json!({ "data": { "theirs": "x" } }));
    let before = world.api.get(MAP);
    world.look().await.unwrap();
    assert_eq!(world.state("Ready"), "False ConfigMapConflict");
    assert!(world.message("Ready").contains("ConfigMap orders-outbox-sidecar exists"));
    assert_eq!(world.api.get(MAP), before);

    world.api.delete(MAP);
    world.look().await.unwrap();
    assert_eq!(world.state("Ready"), "False NoPods");
}

#[tokio::test]
async fn a_config_map_that_somebody_has_changed_is_mended() {
    let world = World::new().await;
    world.look().await.unwrap();
    let mut map = world.api.get(MAP).unwrap();
    let good = map["data"].clone();
    map["data"]["config.yaml"] = json!("nonsense");
    world.api.put(MAP, map);
    world.look().await.unwrap();
    assert_eq!(world.api.get(MAP).unwrap()["data"], good);
}

#[tokio::test]
async fn a_pod_made_without_its_sidecar_is_told_to_relay_and_owner_once() {
    let (mut world, _sidecar) = flowing().await;
    world.pod("orders-1", None);
    for _ in 0..3 {
        world.look().await.unwrap();
    }
    assert_eq!(world.state("Injected"), "False SidecarMissing");
    assert_eq!(world.state("Ready"), "False SidecarMissing");
    let message = world.message("Injected");
    assert!(message.starts_with("1 of 2 pods have no sidecar: orders-1;"), "{message}");
    assert!(message.ends_with("run kubectl rollout restart statefulset/orders"), "{message}");
    assert_eq!(
        world.api.get(RELAY).unwrap()["status"]["pods"],
        json!({ "desired": 2, "injected": 1 })
    );
    let events = world.api.events();
    let told = |kind: &str| {
        events.iter().filter(|e| e.starts_with(&format!("{kind} SidecarMissing"))).count()
    };
    assert_eq!((told("Relay"), told("StatefulSet")), (1, 1), "{events:?}");

    // The other pod does the work.
    assert_eq!(world.state("OutboxFlowing"), "True Flowing");

    world.no_pod("orders-1");
    world.look().await.unwrap();
    assert_eq!(world.state("Injected"), "True AllInjected");
}

#[tokio::test]
async fn nothing_flows_from_pods_that_all_lack_their_sidecars() {
    let mut world = World::new().await;
    world.pod("orders-0", None);
    world.look().await.unwrap();
    assert_eq!(world.state("OutboxFlowing"), "False SidecarMissing");
    assert_eq!(world.state("InboxFlowing"), "True NotConfigured");
}

#[tokio::test]
async fn a_pod_that_was_made_for_other_files_is_outdated() {
    let (world, _sidecar) = flowing().await;
    world.change_spec(|spec| spec["database"]["url"]["secret"]["name"] = json!("another"));
    world.settle().await;
    assert_eq!(world.state("Injected"), "False Outdated");
    assert_eq!(world.state("Ready"), "False Outdated");
    assert!(world.message("Injected").contains("do not mount the files"));
    // Another port needs a restart too, and keeps nothing from flowing.
    world.change_spec(|s| {
        *s = spec();
        s["admin"] = json!({ "listen": "127.0.0.1:9200" });
    });
    world.settle().await;
    assert_eq!(world.state("Injected"), "False Outdated");
    assert_eq!(world.state("Ready"), "True AllFlowing");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named() {
    let mut world = World::new().await;
    let missing =
        "MountVolume.SetUp failed for volume \"outbox-sidecar\" : secret \"db\" not found";
    world.pod_without_its_volumes("orders-0", missing, 1);
    world.settle().await;
    assert_eq!(world.state("Ready"), "Unknown Starting", "it may have been made just now");
    world.pod_without_its_volumes("orders-0", missing, 3);
    world.settle().await;
    assert_eq!(world.state("OutboxFlowing"), "False SidecarNotStarting");
    assert_eq!(world.state("Ready"), "False SidecarNotStarting");
    assert_eq!(world.message("Ready"), format!("pod orders-0: FailedMount: {missing}"));
}

#[tokio::test]
async fn an_outage_and_the_recovery_from_it_flip_the_condition_once_each() {
    let (world, sidecar) = flowing().await;
    let since = |kind: &str| world.condition(kind)["lastTransitionTime"].clone();
    world.backdate("2020-01-01T00:00:00Z");
    sidecar.says(
        json!({ "outboxes": { "o": { "leasedBuckets": 8, "waitingFor": "a Kafka broker" } } }),
    );
    world.look().await.unwrap();
    assert_eq!(world.state("OutboxFlowing"), "True Flowing", "a moment's trouble is no news");
    world.look().await.unwrap();
    assert_eq!(world.state("OutboxFlowing"), "False Waiting");
    assert_eq!(world.message("Ready"), "outbox o: waiting for a Kafka broker (pod orders-0)");
    assert_ne!(since("OutboxFlowing"), "2020-01-01T00:00:00Z");
    assert_eq!(since("Injected"), "2020-01-01T00:00:00Z");

    world.backdate("2021-01-01T00:00:00Z");
    let writes = world.api.writes("/status").len();
    world.look().await.unwrap();
    assert_eq!(since("OutboxFlowing"), "2021-01-01T00:00:00Z");
    sidecar.says(json!({ "outboxes": { "o": { "leasedBuckets": 8 } } }));
    world.settle().await;
    assert_eq!(world.state("Ready"), "True AllFlowing");
    assert_ne!(since("OutboxFlowing"), "2021-01-01T00:00:00Z");
    assert_eq!(world.api.writes("/status").len(), writes + 1);
    let events = world.api.events();
    let told = |start: &str| events.iter().filter(|e| e.starts_with(start)).count();
    assert_eq!(told("Relay Waiting OutboxFlowing is False"), 1, "{events:?}");
    assert_eq!(told("Relay Flowing OutboxFlowing is True"), 1, "{events:?}");
}

#[tokio::test]
async fn a_sidecar_that_is_not_reached_makes_it_unknown() {
    let (world, sidecar) = flowing().await;
    sidecar.stop().await;
    world.settle().await;
    assert_eq!(world.state("OutboxFlowing"), "Unknown Unreachable");
    let message = world.message("OutboxFlowing");
    assert!(message.contains("pod orders-0: ") && message.contains("NetworkPolicy"), "{message}");
}

#[tokio::test]
async fn errors_of_the_api_server_are_waited_out_longer_each_time() {
    let world = World::new().await;
    world.api.fail("configmaps", 500);
    for failures in 1..=3 {
        let error = world.look().await.unwrap_err();
        assert!(error.to_string().contains("ConfigMap not read"), "{error}");
        let action = on_error(world.object(), &error, Arc::clone(&world.context));
        assert_ne!(action, Action::await_change());
        assert_eq!(world.failures(), failures);
    }
    world.api.heal();
    world.look().await.unwrap();
    assert_eq!(world.failures(), 0);
    let metrics = world.context.metrics.render().unwrap();
    assert!(
        metrics.contains("outbox_operator_reconcile_errors_total{class=\"server\"} 3"),
        "{metrics}"
    );
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_told_and_others_go_on() {
    let world = World::new().await;
    let mut broken = relay(spec());
    broken["metadata"]["name"] = json!("broken");
    broken["status"] = json!({ "conditions": "none" });
    let path = RELAY.replace("/orders", "/broken");
    world.api.put(&path, broken);
    let object: DeserializeGuard<Relay> =
        serde_json::from_value(world.api.get(&path).unwrap()).unwrap();
    assert_eq!(object.name_any(), "broken");
    for _ in 0..2 {
        reconcile(
            Arc::new(serde_json::from_value(world.api.get(&path).unwrap()).unwrap()),
            Arc::clone(&world.context),
        )
        .await
        .unwrap();
    }
    world.look().await.unwrap();
    assert_eq!(world.state("Ready"), "False NoPods");
    let events = world.api.events();
    assert_eq!(events.iter().filter(|e| e.contains("Unreadable")).count(), 1, "{events:?}");
    let metrics = world.context.metrics.render().unwrap();
    assert!(metrics.contains("outbox_operator_unreadable_relays 1"), "{metrics}");
    assert!(
        metrics.contains("outbox_operator_relays{condition=\"Ready\",status=\"False\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_pod_monitor_is_made_where_the_prometheus_operator_is() {
    let world = World::new().await;
    world.api.put(
        "/apis/monitoring.coreos.com/v1",
        json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "monitoring.coreos.com/v1",
            "resources": [{ "name": "podmonitors", "singularName": "podmonitor", "namespaced": true, "kind": "PodMonitor", "verbs": [] }],
        }),
    );
    world.look().await.unwrap();
    let monitor = world.api.get(MONITOR).unwrap();
    assert_eq!(monitor["spec"]["selector"]["matchLabels"]["outbox-sidecar.dev/relay"], "orders");
    assert_eq!(monitor["spec"]["podMetricsEndpoints"][0]["port"], "outbox-admin");
    let writes = world.api.writes("podmonitors").len();
    world.look().await.unwrap();
    assert_eq!(world.api.writes("podmonitors").len(), writes);

    let without = World::new().await;
    without.look().await.unwrap();
    assert!(without.api.writes("podmonitors").is_empty());
}
