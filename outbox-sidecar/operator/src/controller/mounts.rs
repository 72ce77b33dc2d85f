//! Why a pod does not get as far as its containers. A volume that cannot be
//! mounted, for want of a Secret, say, shows in no status: the kubelet tells it
//! in Events only.

use k8s_openapi::api::events::v1::Event;
use kube::{Api, Client, api::ListParams};

use super::flow::{Observation, Observed};

/// How many pods are asked about per look; their trouble is mostly the same.
const MOST_PODS: usize = 3;

/// How often the kubelet must have tried in vain: in the first seconds of a pod
/// its caches may not have what has only just been made.
const ATTEMPTS: i32 = 3;

/// Finds out about pods whose sidecars have not started. What is not found out
/// leaves them as they are.
pub(super) async fn explain(client: &Client, namespace: &str, observed: &mut [Observed]) {
    let starting = observed.iter_mut().filter(|pod| pod.state == Observation::Starting);
    for Observed { pod, state } in starting.take(MOST_PODS) {
        match failed_mount(client, namespace, pod).await {
            Ok(Some(problem)) => *state = Observation::Stuck(problem),
            Ok(None) => {}
            Err(error) => {
                let error = crate::error::chain(&error);
                tracing::warn!(%namespace, %pod, %error, "events of a pod not read");
            }
        }
    }
}

async fn failed_mount(
    client: &Client,
    namespace: &str,
    pod: &str,
) -> Result<Option<String>, kube::Error> {
    let selected =
        format!("regarding.kind=Pod,regarding.name={pod},reason=FailedMount,type=Warning");
    let events = Api::<Event>::namespaced(client.clone(), namespace)
        .list(&ListParams::default().fields(&selected))
        .await?;
    let lasting = events
        .items
        .into_iter()
        .filter(|event| event.deprecated_count.is_some_and(|count| count >= ATTEMPTS))
        .max_by_key(|event| event.deprecated_last_timestamp.as_ref().map(|time| time.0));
    Ok(lasting.and_then(|event| event.note).map(|note| format!("FailedMount: {note}")))
}
