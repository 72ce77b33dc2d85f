use anyhow::ensure;
use kind_tests::{PATIENCE, faults::restarts, relay::SIDECAR};
use kube::ResourceExt as _;
use serde_json::{Value, json};

use crate::{
    notes::{Notes, POD},
    standing::Shared,
};

/// Writes a mistake into a `spec`.
type Mistake = fn(&mut Value);

#[tokio::test]
async fn a_relay_that_no_sidecar_could_run_with_is_refused_with_the_reason() {
    let shared = Shared::new().await;
    let notes = Notes::install(&shared.cluster, "e2e-refused").await;
    let cases: [(Mistake, &str); 5] = [
        (
            |spec| (spec["outboxes"], spec["inboxes"]) = (json!([]), json!([])),
            "neither an outbox nor an inbox",
        ),
        (
            |spec| spec["database"]["url"] = json!({ "env": "DATABASE_URL" }),
            "`env` cannot be used in a Relay",
        ),
        (|spec| spec["outboxes"][0]["buckets"] = json!(0), "greater than or equal to 1"),
        (|spec| spec["outboxes"][0]["buckets"] = json!(4), "buckets cannot change"),
        (|spec| spec["outboxes"][0]["lease"] = json!("1ms"), "must be at least 1s"),
    ];
    for (mistake, reason) in cases {
        let mut spec = notes.spec();
        mistake(&mut spec);
        let refused = notes.configure(&spec).await.unwrap_err();
        assert!(format!("{refused:#}").contains(reason), "not {reason}: {refused:#}");
    }
    notes.round_trip("nothing has happened").await;
    notes.namespace.delete().await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_not_there_is_named_by_a_condition_and_stops_nothing_else() {
    let shared = Shared::new().await;
    let notes = Notes::install(&shared.cluster, "e2e-wrong-table").await;
    let before = notes.pod().await;

    let mut wrong = notes.spec();
    wrong["outboxes"][0]["table"] = json!("no_such_table");
    notes.configure(&wrong).await.unwrap();
    let condition = notes.namespace.condition("notes", "OutboxFlowing", "False").await.unwrap();
    assert!(condition.message.contains("no_such_table"), "{condition:?}");
    let ready = notes.namespace.condition("notes", "Ready", "False").await.unwrap();
    assert!(ready.message.contains("no_such_table"), "{ready:?}");
    notes.namespace.condition("notes", "InboxFlowing", "True").await.unwrap();
    let during = notes.pod().await;
    assert_eq!(during.uid(), before.uid(), "the pod goes on, and is ready");
    assert_eq!(restarts(&during, SIDECAR).unwrap(), restarts(&before, SIDECAR).unwrap());

    notes.configure(&notes.spec()).await.unwrap();
    notes.namespace.condition("notes", "Ready", "True").await.unwrap();
    notes.round_trip("mended").await;
    let after = notes.pod().await;
    assert_eq!(restarts(&after, SIDECAR).unwrap(), restarts(&before, SIDECAR).unwrap());
    notes.namespace.delete().await.unwrap();
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_named_by_a_condition_and_stops_no_running_sidecar() {
    let shared = Shared::new().await;
    let notes = Notes::install(&shared.cluster, "e2e-wrong-secret").await;
    let before = notes.pod().await;

    let mut wrong = notes.spec();
    wrong["database"]["url"]["secret"]["name"] = json!("no-such-secret");
    notes.configure(&wrong).await.unwrap();
    notes.namespace.condition("notes", "Injected", "False").await.unwrap();
    notes.round_trip("the old pod goes on").await;
    let during = notes.pod().await;
    assert_eq!(during.uid(), before.uid());
    assert_eq!(restarts(&during, SIDECAR).unwrap(), restarts(&before, SIDECAR).unwrap());

    // A new pod cannot start; the condition says for want of what.
    notes
        .namespace
        .api::<k8s_openapi::api::core::v1::Pod>()
        .delete(&during.name_any(), &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let named = notes.namespace.until("the condition names the secret", PATIENCE, async || {
        let condition = notes.namespace.condition("notes", "Ready", "False").await?;
        ensure!(condition.message.contains("no-such-secret"), "{}", condition.message);
        ensure!(condition.reason == "SidecarNotStarting", "{}", condition.reason);
        Ok(())
    });
    named.await.unwrap();

    notes.configure(&notes.spec()).await.unwrap();
    // What a pod mounts is settled when it is made: this one is made anew.
    notes.namespace.delete_pods(POD).await.unwrap();
    notes.namespace.condition("notes", "Ready", "True").await.unwrap();
    notes.round_trip("mended").await;
    notes.namespace.delete().await.unwrap();
}

#[tokio::test]
async fn a_changed_relay_reaches_a_running_sidecar_without_a_restart() {
    let shared = Shared::new().await;
    let notes = Notes::install(&shared.cluster, "e2e-reload").await;
    let before = notes.pod().await;
    let first = notes.namespace.report(&before).await.unwrap();
    assert!(first.inboxes.contains_key("notes"), "{first:?}");

    let mut changed = notes.spec();
    changed["inboxes"][0]["name"] = json!("announcements");
    notes.configure(&changed).await.unwrap();
    let reloaded = notes.namespace.until("the sidecar has the new inbox", PATIENCE, async || {
        let report = notes.namespace.report(&notes.pod().await).await?;
        let names: Vec<_> = report.inboxes.keys().map(String::as_str).collect();
        ensure!(names == ["announcements"], "{names:?}");
        ensure!(report.config != first.config, "it runs with the old configuration");
        Ok(())
    });
    reloaded.await.unwrap();
    notes.namespace.condition("notes", "Ready", "True").await.unwrap();
    notes.round_trip("by the new inbox").await;
    let after = notes.pod().await;
    assert_eq!(after.uid(), before.uid());
    assert_eq!(restarts(&after, SIDECAR).unwrap(), restarts(&before, SIDECAR).unwrap());
    notes.namespace.delete().await.unwrap();
}
