//! The condition `Injected`: from pods to a verdict, without I/O.

use super::{
    pods::PodView,
    workload::{listed, remedy},
};
use crate::{
    api::{PodCounts, Reason, Verdict},
    inject::Fingerprint,
    names::RELAY,
};

/// What was found about the sidecars of a relay's pods.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    /// The condition.
    pub verdict: Verdict,
    /// The numbers.
    pub counts: PodCounts,
    /// Positions of the pods without a sidecar.
    pub missing: Vec<usize>,
    /// Whether pods mount other files than the relay names, so that they cannot
    /// follow it.
    pub stale_files: bool,
}

/// Compares pods with what would be injected into each of them now; that is
/// unknown while there has been no valid `spec`.
pub fn injected(
    relay: &str,
    pods: &[PodView],
    wanted: impl Fn(&PodView) -> Option<Fingerprint>,
) -> Injected {
    let has = |pod: &PodView| pod.sidecar.is_some();
    let differs = |pod: &&PodView, part: fn(&Fingerprint) -> &str| {
        let found = pod.sidecar.as_ref().and_then(|sidecar| sidecar.fingerprint.as_ref());
        found.zip(wanted(pod)).is_some_and(|(found, wanted)| part(found) != part(&wanted))
    };
    let stale_files = |pod: &&PodView| differs(pod, |fingerprint| &fingerprint.files);
    let outdated =
        |pod: &&PodView| stale_files(pod) || differs(pod, |fingerprint| &fingerprint.container);
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let missing: Vec<_> =
        pods.iter().enumerate().filter(|(_, pod)| !has(pod)).map(|(index, _)| index).collect();
    let counts =
        PodCounts { desired: count(pods.len()), injected: count(pods.len() - missing.len()) };
    let stale = pods.iter().any(|pod| stale_files(&pod));
    let without = || missing.iter().map(|index| &pods[*index]);
    let old = || pods.iter().filter(outdated);
    let verdict = if pods.is_empty() {
        no_pods(relay)
    } else if !missing.is_empty() {
        let message = format!(
            "{} of {} pods have no sidecar: {}; they were created while the webhook did not answer or before the Relay existed; {}",
            missing.len(),
            pods.len(),
            listed(without()),
            remedy(without())
        );
        Verdict::no(Reason::SidecarMissing, message)
    } else if old().next().is_some() {
        let what = if stale {
            "do not mount the files that the Relay names now"
        } else {
            "run another sidecar than would be injected now"
        };
        let message = format!(
            "{} of {} pods {what}: {}; {}",
            old().count(),
            pods.len(),
            listed(old()),
            remedy(old())
        );
        Verdict::no(Reason::Outdated, message)
    } else {
        Verdict::yes(Reason::AllInjected, "every pod has the sidecar")
    };
    Injected { verdict, counts, missing, stale_files: stale }
}

/// What is said of a relay that nobody asks for.
fn no_pods(relay: &str) -> Verdict {
    let message = format!("no running pod asks for this Relay by the annotation {RELAY}: {relay}");
    Verdict::no(Reason::NoPods, message)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    fn pod(name: &str, fingerprint: Option<&str>) -> PodView {
        let sidecar = json!([{ "name": "outbox-sidecar", "ports": [{ "containerPort": 9100 }] }]);
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": name,
                "labels": { "pod-template-hash": "5d4f" },
                "annotations": { "outbox-sidecar.dev/injected": fingerprint.unwrap_or_default() },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "orders-5d4f",
                    "uid": "2", "controller": true,
                }],
            },
            "spec": { "containers": [], "initContainers": fingerprint.map(|_| sidecar) },
        }))
        .unwrap();
        PodView::read(&pod).unwrap()
    }

    fn found(pods: &[PodView]) -> Injected {
        injected("orders", pods, |_| Fingerprint::parse("f1-c1"))
    }

    #[test]
    fn pods_without_a_sidecar_are_named_with_what_to_restart() {
        let found = found(&[pod("a", Some("f1-c1")), pod("c", None), pod("b", None)]);
        assert_eq!(found.verdict.reason, Reason::SidecarMissing);
        assert!(found.verdict.message.starts_with("2 of 3 pods have no sidecar: b, c;"));
        assert!(found.verdict.message.ends_with("run kubectl rollout restart deployment/orders"));
        assert_eq!(found.counts, PodCounts { desired: 3, injected: 1 });
        assert_eq!(found.missing, [1, 2]);
    }

    #[test]
    fn a_pod_made_for_another_configuration_is_outdated() {
        let container = found(&[pod("a", Some("f1-c1")), pod("b", Some("f1-c0"))]);
        assert_eq!(container.verdict.reason, Reason::Outdated);
        assert!(!container.stale_files);
        let files = found(&[pod("a", Some("f0-c1"))]);
        assert_eq!(files.verdict.reason, Reason::Outdated);
        assert!(files.stale_files);
        assert_eq!(files.counts, PodCounts { desired: 1, injected: 1 });
    }

    #[test]
    fn a_sidecar_that_somebody_else_wrote_into_the_pod_is_left_alone() {
        assert_eq!(found(&[pod("a", Some(""))]).verdict.reason, Reason::AllInjected);
    }

    #[test]
    fn many_pods_do_not_make_a_long_message() {
        let pods: Vec<_> = (0..50).map(|index| pod(&format!("orders-{index:02}"), None)).collect();
        let message = found(&pods).verdict.message;
        assert!(message.contains("orders-00, orders-01, orders-02 and 47 more"), "{message}");
    }

    #[test]
    fn without_pods_the_annotation_is_named() {
        let found = found(&[]);
        assert_eq!(found.verdict.reason, Reason::NoPods);
        assert!(found.verdict.message.contains("outbox-sidecar.dev/relay: orders"));
    }
}
