use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use kind_tests::{Namespace, PATIENCE, ingress, prometheus::Prometheus};

use crate::{orders::pay_one_and_cancel_one, standing::Shared};

/// The names of the ports that have metrics.
const PORTS: [&str; 3] = ["admin", "outbox-admin", "metrics"];

/// By component: the operator, every service, and every service's sidecar.
const PROGRAMS: [(&str, &str); 7] = [
    ("gateway", "admin"),
    ("gateway", "outbox-admin"),
    ("operator", "metrics"),
    ("orders", "admin"),
    ("orders", "outbox-admin"),
    ("payments", "admin"),
    ("payments", "outbox-admin"),
];

#[tokio::test]
async fn every_program_is_scraped_and_the_key_series_count() {
    let shared = Shared::new().await;
    pay_one_and_cancel_one(&ingress::shop("api.shop.localhost").unwrap()).await;
    let prometheus = Prometheus::connect(&shared.cluster).await.unwrap();
    let shop = shared.cluster.namespace("shop");
    let system = shared.cluster.namespace("outbox-sidecar-system");

    let scraped = shop.until("every program is scraped", PATIENCE, async || {
        let mut expected = expected(&shop).await?;
        expected.extend(self::expected(&system).await?);
        let mut programs: Vec<_> =
            expected.iter().map(|(who, port, _)| (who.as_str(), port.as_str())).collect();
        programs.sort_unstable();
        programs.dedup();
        ensure!(programs == PROGRAMS, "there are {programs:?}");
        let targets = prometheus.targets().await?;
        for (_, _, url) in &expected {
            let mut of_url = targets.iter().filter(|target| target.scrape_url == *url);
            let (found, other) = (of_url.next(), of_url.next());
            ensure!(other.is_none(), "{url} is scraped twice");
            ensure!(found.is_some_and(|target| target.health == "up"), "{url} is {found:?}");
        }
        Ok(())
    });
    scraped.await.unwrap();

    let series = [
        "sum(outbox_sidecar_outbox_published_total{outbox=\"orders\"})",
        "sum(outbox_sidecar_outbox_published_total{outbox=\"payments\"})",
        "sum(outbox_sidecar_inbox_received_total)",
        "sum(outbox_sidecar_inbox_delivered_total{outcome=\"applied\"})",
        "sum(outbox_sidecar_outbox_publish_latency_seconds_count)",
        "sum(outbox_sidecar_outbox_leased_buckets)",
        "sum(inbox_events_total{result=\"applied\"})",
        "sum(http_requests_total{listener=\"public\",route=\"/orders\",method=\"POST\"})",
        "sum(http_requests_total{listener=\"api\"})",
        "sum(http_requests_total{listener=\"inbox\"})",
    ];
    let counted = shop.until("the key series count", PATIENCE, async || {
        for query in series {
            let value = prometheus.value(query).await?;
            ensure!(value > 0.0, "{query} is {value}");
        }
        Ok(())
    });
    counted.await.unwrap();
}

/// Who has a port with metrics, which one, and where.
async fn expected(namespace: &Namespace) -> anyhow::Result<Vec<(String, String, String)>> {
    let mut found = Vec::new();
    for pod in namespace.pods("").await? {
        let Some(address) = pod.status.as_ref().and_then(|status| status.pod_ip.clone()) else {
            continue;
        };
        let running = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if running != Some("Running") {
            continue;
        }
        for (name, number) in ports(&pod) {
            let labels = pod.metadata.labels.clone().unwrap_or_default();
            let component = labels.get("app.kubernetes.io/component").cloned().unwrap_or_default();
            found.push((component, name, format!("http://{address}:{number}/metrics")));
        }
    }
    Ok(found)
}

fn ports(pod: &Pod) -> impl Iterator<Item = (String, i32)> {
    let spec = pod.spec.iter();
    let containers =
        spec.flat_map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.filter_map(|port| {
        let name = port.name.clone().filter(|name| PORTS.contains(&name.as_str()))?;
        Some((name, port.container_port))
    })
}
