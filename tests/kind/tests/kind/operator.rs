//! What happens without the operator, and when it comes back. Each test is alone
//! on the cluster, and leaves the operator as it found it also when it fails.

use anyhow::{Context as _, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Pod, Secret},
    events::v1,
};
use kind_tests::{
    Cluster, Namespace, PATIENCE,
    faults::restarts,
    helm::Release,
    relay::{SIDECAR, container},
};
use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams},
};

use crate::{
    notes::{Notes, POD},
    standing::Exclusive,
};

const OPERATOR: &str = "outbox-operator";

#[tokio::test]
async fn a_pod_made_while_the_webhook_is_down_is_reported_and_mended_by_deleting_it() {
    let exclusive = Exclusive::new().await;
    let notes = Notes::install(&exclusive.cluster, "e2e-webhook").await;
    let system = system(&exclusive.cluster);

    system.scale(OPERATOR, 0).await.unwrap();
    let without = pod_without_sidecar(&notes).await;
    system.scale(OPERATOR, 1).await.unwrap();
    let pod = without.unwrap();

    let condition = notes.namespace.condition("notes", "Injected", "False").await.unwrap();
    assert_eq!(condition.reason, "SidecarMissing");
    assert!(condition.message.contains(&pod), "{condition:?}");
    let ready = notes.namespace.condition("notes", "Ready", "False").await.unwrap();
    assert!(ready.message.contains(&pod), "{ready:?}");
    let told = notes.namespace.until("an Event tells it", PATIENCE, async || {
        let events = notes.namespace.api::<v1::Event>().list(&ListParams::default()).await?;
        let told = events.iter().any(|event| event.reason.as_deref() == Some("SidecarMissing"));
        ensure!(told, "there is none");
        Ok(())
    });
    told.await.unwrap();

    notes.namespace.delete_pods(POD).await.unwrap();
    notes.namespace.condition("notes", "Ready", "True").await.unwrap();
    notes.round_trip("with a sidecar again").await;
    notes.namespace.delete().await.unwrap();
}

/// Replaces the pod while nobody injects; the name of the new one.
async fn pod_without_sidecar(notes: &Notes) -> anyhow::Result<String> {
    notes.namespace.delete_pods(POD).await?;
    let pod = notes.namespace.ready_pod(POD).await?;
    ensure!(container(&pod, SIDECAR).is_none(), "it has a sidecar");
    Ok(pod.name_any())
}

#[tokio::test]
async fn a_deleted_serving_certificate_is_made_anew_and_pods_are_injected() {
    let exclusive = Exclusive::new().await;
    let notes = Notes::install(&exclusive.cluster, "e2e-certificate").await;
    let system = system(&exclusive.cluster);
    let secrets = system.api::<Secret>();
    let name = "outbox-operator-certificate";
    let before = secrets.get(name).await.unwrap();
    secrets.delete(name, &DeleteParams::default()).await.unwrap();
    let made = system.until("there is a new certificate", PATIENCE, async || {
        let now = secrets.get_opt(name).await?.context("there is none")?;
        ensure!(now.uid() != before.uid(), "it is the old one");
        ensure!(now.data.is_some_and(|data| data.contains_key("tls.crt")), "it is empty");
        Ok(())
    });
    made.await.unwrap();

    // The API server and the operator's pods learn of it a little later.
    let injected = notes.namespace.until("a new pod is injected", PATIENCE, async || {
        notes.namespace.delete_pods(POD).await?;
        let pod = notes.namespace.ready_pod(POD).await?;
        container(&pod, SIDECAR).context("it has no sidecar")?;
        Ok(())
    });
    injected.await.unwrap();
    notes.round_trip("under a new certificate").await;
    notes.namespace.delete().await.unwrap();
}

#[tokio::test]
async fn uninstalling_the_operator_leaves_relays_and_running_sidecars() {
    let exclusive = Exclusive::new().await;
    let notes = Notes::install(&exclusive.cluster, "e2e-no-operator").await;
    let before = notes.pod().await;
    let system = system(&exclusive.cluster);
    let release = Release::new(&system, OPERATOR, "outbox-operator");

    let uninstalled = release.uninstall().await;
    let left = system
        .until("only what is said is left", PATIENCE, async || {
            let left = system.everything().await?;
            let said = ["Lease outbox-operator", "Secret outbox-operator-certificate"];
            ensure!(left == said, "there are {left:#?}");
            Ok(())
        })
        .await;
    let webhooks = exclusive.cluster.all::<MutatingWebhookConfiguration>();
    let webhook = webhooks.get_opt(OPERATOR).await;
    // Not by `round_trip`, which would end the test with the operator away.
    let relay = notes.namespace.relays().get("notes").await;
    let pod = notes.namespace.api::<Pod>().get(&before.name_any()).await;
    let reported = notes.namespace.report(&before).await;
    release.install(&[], &[]).await.unwrap();

    uninstalled.unwrap();
    left.unwrap();
    assert!(webhook.unwrap().is_none(), "the API server would go on asking");
    relay.unwrap();
    assert!(reported.unwrap().waiting_for.is_none());
    let restarted = restarts(&pod.unwrap(), SIDECAR).unwrap();
    assert_eq!(restarted, restarts(&before, SIDECAR).unwrap());
    notes.round_trip("all the same").await;
    notes.namespace.delete_pods(POD).await.unwrap();
    notes.namespace.condition("notes", "Ready", "True").await.unwrap();
    notes.namespace.delete().await.unwrap();
}

fn system(cluster: &Cluster) -> Namespace {
    cluster.namespace("outbox-sidecar-system")
}
