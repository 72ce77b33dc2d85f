use k8s_openapi::api::core::v1::ConfigMap;
use kind_tests::relay::{SIDECAR, container};

use crate::{notes::Notes, standing::Shared};

#[tokio::test]
async fn a_python_service_gets_a_sidecar_by_one_relay_and_one_annotation() {
    let shared = Shared::new().await;
    let notes = Notes::install(&shared.cluster, "e2e-python").await;
    let pod = notes.pod().await;
    let sidecar = container(&pod, SIDECAR).unwrap();
    assert!(sidecar.ready && sidecar.started == Some(true), "{sidecar:?}");
    let labels = pod.metadata.labels.unwrap();
    assert_eq!(labels.get("outbox-sidecar.dev/relay").map(String::as_str), Some("notes"));

    let note = notes.round_trip("buy tea").await;
    assert_eq!(note["text"], "buy tea");
    assert!(note["kafkaoffset"].is_u64(), "it has been in Kafka: {note}");

    // What the operator made for the relay goes with it.
    let maps = notes.namespace.api::<ConfigMap>();
    assert!(maps.get_opt("notes-outbox-sidecar").await.unwrap().is_some());
    notes.namespace.delete().await.unwrap();
}
