//! The webhook's answers.

use std::sync::Arc;

use k8s_openapi::ByteString;
use outbox_operator::{
    metrics::Metrics,
    webhook::{Webhook, router},
};
use serde_json::{Value, json};

use crate::{
    fake_api::FakeApi,
    golden::defaults,
    world::{MAP, RELAY, relay, spec},
};

struct Hook {
    api: FakeApi,
    url: String,
    metrics: Metrics,
}

impl Hook {
    async fn start() -> Self {
        Self::watching(&[]).await
    }

    async fn watching(namespaces: &[&str]) -> Self {
        let (api, client) = FakeApi::start().await;
        let metrics = Metrics::new().unwrap();
        let namespaces = namespaces.iter().map(|&namespace| namespace.to_owned()).collect();
        let webhook = Webhook::new(client, defaults(), namespaces, metrics.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/inject", listener.local_addr().unwrap());
        let router = router(Arc::new(webhook));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { api, url, metrics }
    }

    /// Asks as an API server that waits no longer than this, in seconds.
    async fn post(&self, body: String, timeout: u32) -> (u16, String) {
        let request = reqwest::Client::new().post(format!("{}?timeout={timeout}s", self.url));
        let answer =
            request.header("content-type", "application/json").body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The answer to a review, which has to be one.
    async fn review(&self, review: &Value) -> Value {
        let (status, text) = self.post(review.to_string(), 1).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["response"]["uid"], "u-1");
        assert_eq!(answer["response"]["allowed"], true, "no pod is ever refused");
        answer["response"].clone()
    }
}

/// A pod of a ReplicaSet: it has no name yet.
pub(crate) fn pod(relay: &str) -> Value {
    json!({
        "metadata": {
            "generateName": "orders-5d4f-",
            "annotations": { "outbox-sidecar.dev/relay": relay },
        },
        "spec": { "containers": [{ "name": "orders", "image": "orders:1", "fieldOfTomorrow": true }] },
    })
}

pub(crate) fn review(pod: Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u-1", "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "namespace": "shop", "operation": "CREATE", "dryRun": true, "object": pod,
        },
    })
}

/// The pod with the patch of an answer applied.
pub(crate) fn patched(mut pod: Value, response: &Value) -> Value {
    assert_eq!(response["patchType"], "JSONPatch");
    let patch: ByteString = serde_json::from_value(response["patch"].clone()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch.0).unwrap();
    json_patch::patch(&mut pod, &patch).unwrap();
    pod
}

fn warning(response: &Value) -> String {
    assert!(response.get("patch").is_none(), "{response}");
    response["warnings"][0].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pod_that_asks_for_a_relay_gets_its_sidecar_and_nothing_is_written() {
    let hook = Hook::start().await;
    hook.api.put(RELAY, relay(spec()));
    let response = hook.review(&review(pod("orders"))).await;
    assert!(response.get("warnings").is_none());
    let patched = patched(pod("orders"), &response);
    assert_eq!(patched["spec"]["initContainers"][0]["name"], "outbox-sidecar");
    assert_eq!(patched["spec"]["containers"], pod("orders")["spec"]["containers"]);
    assert!(hook.api.writes("").is_empty());
    let metrics = hook.metrics.render().unwrap();
    let counted = "outbox_operator_admissions_total{outcome=\"injected\",reason=\"requested\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test]
async fn pods_that_ask_for_nothing_stay_as_they_are() {
    let hook = Hook::start().await;
    let mut plain = pod("orders");
    plain["metadata"]["annotations"] = Value::Null;
    let mut update = review(pod("orders"));
    update["request"]["operation"] = json!("UPDATE");
    for review in [review(plain), update] {
        let response = hook.review(&review).await;
        assert!(response.get("patch").is_none() && response.get("warnings").is_none());
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_a_warning() {
    let hook = Hook::watching(&["shop"]).await;
    let missing = warning(&hook.review(&review(pod("orders"))).await);
    assert!(missing.contains("there is no Relay orders in the namespace shop"), "{missing}");
    let nonsense = warning(&hook.review(&review(pod("No Such Name"))).await);
    assert!(nonsense.contains("is not the name of a Relay"), "{nonsense}");
    let mut elsewhere = review(pod("orders"));
    elsewhere["request"]["namespace"] = json!("other");
    let elsewhere = warning(&hook.review(&elsewhere).await);
    assert!(elsewhere.contains("does not watch the namespace other"), "{elsewhere}");
    hook.api.put(RELAY, relay(json!({ "database": {} })));
    let invalid = warning(&hook.review(&review(pod("orders"))).await);
    assert!(invalid.contains("the Relay orders is not valid: "), "{invalid}");
}

#[tokio::test]
async fn a_relay_with_a_mistake_is_injected_as_it_was_last_valid() {
    let hook = Hook::start().await;
    let mut broken = spec();
    broken["outboxes"][0]["lease"] = json!("soon");
    hook.api.put(RELAY, relay(broken));
    let uid = hook.api.get(RELAY).unwrap()["metadata"]["uid"].clone();
    let owner = json!([{ "apiVersion": "outbox-sidecar.dev/v1alpha1", "kind": "Relay", "name": "orders", "uid": uid }]);
    hook.api.put(
        MAP,
        json!({
            "metadata": { "ownerReferences": owner },
            "data": { "relay.json": spec().to_string() },
        }),
    );
    let response = hook.review(&review(pod("orders"))).await;
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.contains("`soon`") && warning.contains("last valid configuration"),
        "{warning}"
    );
    let patched = patched(pod("orders"), &response);
    assert_eq!(patched["spec"]["initContainers"][0]["name"], "outbox-sidecar");

    // A map that is not the relay's is not believed.
    hook.api.put(MAP, json!({ "metadata": {}, "data": { "relay.json": spec().to_string() } }));
    assert!(hook.review(&review(pod("orders"))).await.get("patch").is_none());
}

#[tokio::test]
async fn a_relay_that_comes_right_after_its_pods_is_waited_for() {
    let hook = Hook::start().await;
    let waiting = hook.post(review(pod("orders")).to_string(), 30);
    let coming = async {
        // The first look has found nothing.
        while !hook.api.asked("GET", RELAY) {
            tokio::task::yield_now().await;
        }
        hook.api.put(RELAY, relay(spec()));
    };
    let ((status, text), ()) = tokio::join!(waiting, coming);
    assert_eq!(status, 200, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    patched(pod("orders"), &answer["response"]);
}

#[tokio::test]
async fn an_error_of_the_operator_is_an_http_error_that_the_failure_policy_applies_to() {
    let hook = Hook::start().await;
    hook.api.fail("relays", 500);
    let (status, text) = hook.post(review(pod("orders")).to_string(), 1).await;
    assert_eq!(status, 500, "{text}");
    for nonsense in
        ["", "{}", "{\"apiVersion\":\"admission.k8s.io/v1\",\"kind\":\"AdmissionReview\"}"]
    {
        assert_eq!(hook.post(nonsense.to_owned(), 1).await.0, 400);
    }
    let large = review(json!({ "x": "y".repeat(11 * 1024 * 1024) })).to_string();
    assert_eq!(hook.post(large, 1).await.0, 413);
}
