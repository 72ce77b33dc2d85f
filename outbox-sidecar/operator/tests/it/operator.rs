//! Whole operators, against an API server in this process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use k8s_openapi::{ByteString, jiff::Timestamp};
use kube::Client;
use outbox_operator::{
    certificates::{Keeper, Material, Names},
    run::{Certificates, Options, RunError, run},
};
use rustls::{ClientConfig, RootCertStore, pki_types::pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::{patched, pod, review},
    fake_api::FakeApi,
    golden::defaults,
    world::{RELAY, relay, spec},
};

const WEBHOOK: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/outbox-operator";
const SECRET: &str = "/api/v1/namespaces/system/secrets/certificates";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases/outbox-operator";

fn webhook() -> Value {
    json!({
        "webhooks": [{
            "name": "inject.outbox-sidecar.dev", "clientConfig": {}, "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }],
    })
}

fn names() -> Names {
    Names {
        namespace: "system".into(),
        service: "operator".into(),
        secret: "certificates".into(),
        configuration: "outbox-operator".into(),
    }
}

struct Operator {
    webhook: SocketAddr,
    admin: SocketAddr,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
}

impl Operator {
    async fn start(client: Client, pod_name: &str) -> Self {
        let [webhook, admin] = [free().await, free().await];
        let options = Options {
            namespace: "system".into(),
            pod_name: pod_name.into(),
            defaults: defaults(),
            certificates: Certificates::SelfMade(names()),
            lease: "outbox-operator".into(),
            watch_namespaces: vec![],
            pod_monitors: false,
            status_interval: Duration::from_secs(1),
            listen_webhook: webhook,
            listen_admin: admin,
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(run(options, client, stop.clone()));
        Self { webhook, admin, stop, running }
    }

    async fn admin(&self, path: &str) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("http://{}{path}", self.admin)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn is_ready(&self) -> bool {
        self.admin("/readyz").await.is_some_and(|(status, _)| status == 200)
    }

    async fn leads(&self) -> bool {
        self.admin("/metrics")
            .await
            .is_some_and(|(_, text)| text.contains("\noutbox_operator_leader 1\n"))
    }

    async fn stop(self) -> Result<(), RunError> {
        self.stop.cancel();
        self.running.await.unwrap()
    }
}

async fn free() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Waits for a condition, for half a minute at most.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let waited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waited).await.is_ok(), "{what}");
}

/// The bundle that API servers trust.
fn bundle(api: &FakeApi) -> String {
    let bundle = api.get(WEBHOOK).unwrap()["webhooks"][0]["clientConfig"]["caBundle"].clone();
    let bundle: Option<ByteString> = serde_json::from_value(bundle).unwrap();
    String::from_utf8(bundle.map(|bundle| bundle.0).unwrap_or_default()).unwrap()
}

/// Asks as an API server does, trusting the bundle and nothing else.
async fn ask(address: SocketAddr, bundle: &str, body: &str) -> String {
    let mut roots = RootCertStore::empty();
    for root in rustls::pki_types::CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(root.unwrap()).unwrap();
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = "operator.system.svc".try_into().unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    let request = format!(
        "POST /inject?timeout=5s HTTP/1.1\r\nhost: operator\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // The other end may close without saying so.
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn an_operator_gets_trusted_injects_reports_and_leaves_in_order() {
    let (api, client) = FakeApi::start().await;
    let operator = Operator::start(client, "operator-0").await;
    until("it answers", async || operator.admin("/healthz").await.is_some()).await;
    assert!(!operator.is_ready().await, "nobody trusts it yet");
    api.put(WEBHOOK, webhook());
    api.put(RELAY, relay(spec()));
    until("it is ready", async || operator.is_ready().await).await;

    let answer = ask(operator.webhook, &bundle(&api), &review(pod("orders")).to_string()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    let body: Value = serde_json::from_str(body).unwrap();
    patched(pod("orders"), &body["response"]);

    let reason = |wanted: &'static str| {
        let api = api.clone();
        async move || {
            let relay = api.get(RELAY).unwrap();
            relay.pointer("/status/conditions/0/reason").is_some_and(|reason| reason == wanted)
        }
    };
    until("the relay has a status", reason("NoPods")).await;
    let mut uninjected = pod("orders");
    uninjected["metadata"]["name"] = json!("orders-5d4f-x");
    uninjected["status"] = json!({ "phase": "Running" });
    api.put("/api/v1/namespaces/shop/pods/orders-5d4f-x", uninjected);
    until("the pod is noticed", reason("SidecarMissing")).await;

    operator.stop().await.unwrap();
    assert_eq!(api.get(LEASE).unwrap()["spec"].get("holderIdentity"), None);
}

#[tokio::test]
async fn one_of_two_leads_and_the_other_takes_over() {
    let (api, client) = FakeApi::start().await;
    api.put(WEBHOOK, webhook());
    let first = Operator::start(client.clone(), "operator-0").await;
    until("the first one leads", async || first.leads().await).await;
    let second = Operator::start(client, "operator-1").await;
    until("both are ready", async || first.is_ready().await && second.is_ready().await).await;
    assert!(!second.leads().await);
    // Both serve with what the leader has made.
    for operator in [&first, &second] {
        ask(operator.webhook, &bundle(&api), "{}").await;
    }
    first.stop().await.unwrap();
    until("the second one leads", async || second.leads().await).await;
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_ends() {
    let (api, client) = FakeApi::start().await;
    api.put(WEBHOOK, webhook());
    let operator = Operator::start(client, "operator-0").await;
    until("it leads", async || operator.leads().await).await;
    let mut lease = api.get(LEASE).unwrap();
    lease["spec"]["holderIdentity"] = json!("somebody else");
    api.put(LEASE, lease);
    let ended = tokio::time::timeout(Duration::from_secs(30), operator.running).await.unwrap();
    assert!(matches!(ended.unwrap(), Err(RunError::Lost(_))));
    assert_eq!(api.get(LEASE).unwrap()["spec"]["holderIdentity"], "somebody else");
}

#[tokio::test]
async fn a_bundle_that_somebody_has_reset_is_restored_and_nothing_else_is_written() {
    let (api, client) = FakeApi::start().await;
    api.put(WEBHOOK, webhook());
    let keeper = Keeper::new(client, names());
    let now = Timestamp::now();
    keeper.tick(now).await.unwrap();
    let made = bundle(&api);
    assert!(made.contains("BEGIN CERTIFICATE"));
    assert_eq!(api.get(SECRET).unwrap()["type"], "kubernetes.io/tls");
    let writes = api.writes("").len();
    keeper.tick(now).await.unwrap();
    assert_eq!(api.writes("").len(), writes, "nothing to do");

    api.put(WEBHOOK, webhook());
    keeper.tick(now).await.unwrap();
    assert_eq!(bundle(&api), made);
    assert_eq!(api.writes("secrets").len(), 1);
}

#[tokio::test]
async fn certificates_are_renewed_in_time_without_a_moment_of_mistrust() {
    let (api, client) = FakeApi::start().await;
    api.put(WEBHOOK, webhook());
    let keeper = Keeper::new(client, names());
    let begin = Timestamp::now();
    let mut bundles = Vec::new();
    for day in 0..400_i64 {
        keeper.tick(begin + k8s_openapi::jiff::SignedDuration::from_hours(24 * day)).await.unwrap();
        bundles.push(bundle(&api));
    }
    let data = serde_json::from_value(api.get(SECRET).unwrap()["data"].clone()).unwrap();
    assert_eq!(Material::read(&data).bundle(), *bundles.last().unwrap());
    // From one to the next, what is trusted overlaps.
    let first = |bundle: &str| {
        bundle.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap().to_owned()
    };
    for pair in bundles.windows(2) {
        assert!(pair[0].contains(&first(&pair[1])), "the oldest authority was trusted before");
    }
    assert!(!bundles.last().unwrap().contains(&first(&bundles[0])), "the first one has expired");
}

#[tokio::test]
async fn an_operator_without_its_custom_resource_waits_for_it() {
    let (api, client) = FakeApi::start().await;
    api.put(WEBHOOK, webhook());
    api.fail("GET /apis/outbox-sidecar.dev", 404);
    let operator = Operator::start(client, "operator-0").await;
    until("it is ready to inject", async || operator.is_ready().await).await;
    api.put(RELAY, relay(spec()));
    api.heal();
    until("the relay has a status", async || api.get(RELAY).unwrap().get("status").is_some()).await;
    operator.stop().await.unwrap();
}
