//! A namespace's state as text, for who reads a failed test.

use std::fmt::Write as _;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Pod};
use kube::{
    ResourceExt as _,
    api::{ListParams, LogParams},
};

use crate::{Namespace, namespace::is_ready};

/// How many of the latest events, and lines of each log, are told.
const EVENTS: usize = 20;
const LINES: i64 = 15;

impl Namespace {
    /// Pods, the logs of those that are not ready, relays, and the latest events.
    /// What cannot be read is left out.
    pub(crate) async fn describe(&self) -> String {
        let mut text = format!("--- namespace {}\n", self.name());
        let pods = self.api::<Pod>().list(&ListParams::default()).await;
        for pod in pods.iter().flat_map(|pods| &pods.items) {
            let _ = writeln!(text, "{}", line(pod));
            if !is_ready(pod) {
                self.logs(&mut text, pod).await;
            }
        }
        for (relay, condition) in self.all_conditions().await.unwrap_or_default() {
            let _ = writeln!(
                text,
                "relay {relay}: {}={} {}: {}",
                condition.type_, condition.status, condition.reason, condition.message
            );
        }
        let events = self.api::<Event>().list(&ListParams::default()).await;
        let mut events = events.map(|events| events.items).unwrap_or_default();
        let time = |event: &Event| {
            event
                .last_timestamp
                .clone()
                .map(|time| time.0)
                .or(event.event_time.clone().map(|t| t.0))
        };
        events.sort_by_key(time);
        for event in events.iter().rev().take(EVENTS).rev() {
            let _ = writeln!(
                text,
                "event {} {}: {}: {}",
                event.involved_object.kind.as_deref().unwrap_or_default(),
                event.involved_object.name.as_deref().unwrap_or_default(),
                event.reason.as_deref().unwrap_or_default(),
                event.message.as_deref().unwrap_or_default()
            );
        }
        text
    }

    async fn logs(&self, text: &mut String, pod: &Pod) {
        for status in containers(pod) {
            for previous in [true, false] {
                let parameters = LogParams {
                    container: Some(status.name.clone()),
                    previous,
                    tail_lines: Some(LINES),
                    ..LogParams::default()
                };
                let log = self.api::<Pod>().logs(&pod.name_any(), &parameters).await;
                for line in log.iter().flat_map(|log| log.lines()) {
                    let which = if previous { "before" } else { "now" };
                    let _ = writeln!(text, "    {} ({which}) | {line}", status.name);
                }
            }
        }
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    pod.status.iter().flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}

fn line(pod: &Pod) -> String {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("?");
    let mut text = format!("pod {} {phase}", pod.name_any());
    if pod.metadata.deletion_timestamp.is_some() {
        text.push_str(", being deleted");
    }
    for condition in status.iter().flat_map(|status| status.conditions.iter().flatten()) {
        if condition.status != "True" {
            let message = condition.message.as_deref().unwrap_or_default();
            let _ = write!(text, ", not {} ({message})", condition.type_);
        }
    }
    for container in containers(pod) {
        let _ = write!(
            text,
            "\n    {}: {}, ready {}, restarts {}",
            container.name,
            state(container.state.as_ref()),
            container.ready,
            container.restart_count
        );
        if container.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
            let _ = write!(text, ", before {}", state(container.last_state.as_ref()));
        }
    }
    text
}

fn state(state: Option<&ContainerState>) -> String {
    let Some(state) = state else { return "unknown".to_owned() };
    if let Some(waiting) = &state.waiting {
        let (reason, message) = (waiting.reason.as_deref(), waiting.message.as_deref());
        format!("waiting {} {}", reason.unwrap_or_default(), message.unwrap_or_default())
    } else if let Some(ended) = &state.terminated {
        format!("ended with {} {}", ended.exit_code, ended.reason.as_deref().unwrap_or_default())
    } else {
        "running".to_owned()
    }
}
