//! Events, on transitions only. One that cannot be written holds nothing up.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder};

use super::pods::PodView;
use crate::{
    api::{Condition, Reason},
    names::RELAY,
};

/// The longest note the API takes.
const LONGEST_NOTE: usize = 1000;

/// Tells of a condition that has changed.
pub(super) async fn transition(
    recorder: &Recorder,
    regarding: &ObjectReference,
    condition: &Condition,
) {
    let passing = [Reason::Starting, Reason::Reloading].map(|reason| reason.to_string());
    let normal = condition.status == "True" || passing.contains(&condition.reason);
    let type_ = if normal { EventType::Normal } else { EventType::Warning };
    let note = format!("{} is {}: {}", condition.type_, condition.status, condition.message);
    publish(recorder, regarding, type_, &condition.reason, &condition.type_, note).await;
}

/// Tells the owner of a pod that it was made without its sidecar.
pub(super) async fn missing_sidecar(recorder: &Recorder, pod: &PodView) {
    let Some(owner) = pod.workload.reference() else { return };
    let relay = pod.annotations[RELAY].as_str().unwrap_or_default();
    let note = format!(
        "pod {} asks for the sidecar of the Relay {relay} and has none; create it anew",
        pod.name
    );
    let reason = Reason::SidecarMissing.to_string();
    publish(recorder, &owner, EventType::Warning, &reason, "Injected", note).await;
}

/// Tells that an object cannot be read.
pub(super) async fn unreadable(recorder: &Recorder, regarding: &ObjectReference, problem: &str) {
    let note = format!("the object cannot be read: {problem}");
    publish(recorder, regarding, EventType::Warning, "Unreadable", "Ready", note).await;
}

async fn publish(
    recorder: &Recorder,
    regarding: &ObjectReference,
    type_: EventType,
    reason: &str,
    action: &str,
    note: String,
) {
    let note = Some(note.chars().take(LONGEST_NOTE).collect());
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note,
        action: action.to_owned(),
        secondary: None,
    };
    if let Err(error) = recorder.publish(&event, regarding).await {
        tracing::warn!(error = %crate::error::chain(&error), reason, "event not written");
    }
}
