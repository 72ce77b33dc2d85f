//! Whatever happens: every order that was accepted ends, none is paid twice, and
//! deposits equal balances plus payments. `under_load` says so.

use anyhow::ensure;
use kind_tests::{Namespace, PATIENCE, load::under_load, relay::SIDECAR};

use crate::standing::{Victim, component};

#[tokio::test]
async fn orders_scale_to_three_pods_and_back_under_load() {
    let victim = Victim::new().await;
    let scaled = under_load(&victim.namespace, &victim.client, async |orders| {
        victim.namespace.scale("shop-orders", 3).await?;
        buckets_are_shared(&victim.namespace, 3).await?;
        orders.more(50).await?;
        // Of each pod, one after the other; what it held goes to the others meanwhile.
        victim.namespace.kill(&component("orders"), SIDECAR).await?;
        buckets_are_shared(&victim.namespace, 3).await?;
        orders.more(20).await?;
        victim.namespace.scale("shop-orders", 1).await?;
        buckets_are_shared(&victim.namespace, 1).await
    });
    scaled.await.unwrap();
}

/// Waits until the sidecars of so many orders pods publish all 8 buckets among them, none of them
/// much more than another.
async fn buckets_are_shared(namespace: &Namespace, pods: usize) -> anyhow::Result<()> {
    namespace
        .until(&format!("{pods} sidecars share the buckets"), PATIENCE, async || {
            let mut held = Vec::new();
            for pod in namespace.pods(&component("orders")).await? {
                let report = namespace.report(&pod).await?;
                held.extend(report.outboxes.get("orders").map(|outbox| outbox.leased_buckets));
            }
            held.sort_unstable();
            let fair = held.first().zip(held.last()).is_some_and(|(least, most)| most - least <= 1);
            let all = held.iter().sum::<usize>() == 8;
            ensure!(held.len() == pods && all && fair, "they hold {held:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn deleted_pods_lose_no_order() {
    let victim = Victim::new().await;
    let deleted = under_load(&victim.namespace, &victim.client, async |orders| {
        for name in ["orders", "payments", "gateway"] {
            victim.namespace.delete_pods(&component(name)).await?;
            orders.more(20).await?;
        }
        Ok(())
    });
    deleted.await.unwrap();
}

#[tokio::test]
async fn kill_9_of_sidecars_and_services_loses_no_order() {
    let victim = Victim::new().await;
    let killed = under_load(&victim.namespace, &victim.client, async |orders| {
        for (name, container) in [
            ("orders", SIDECAR),
            ("payments", SIDECAR),
            ("orders", "orders"),
            ("payments", "payments"),
        ] {
            victim.namespace.kill(&component(name), container).await?;
            orders.more(20).await?;
        }
        Ok(())
    });
    killed.await.unwrap();
}

#[tokio::test]
async fn kill_9_of_kafka_and_postgresql_loses_no_order() {
    let victim = Victim::new().await;
    let killed = under_load(&victim.namespace, &victim.client, async |orders| {
        for name in ["kafka", "postgresql"] {
            victim.namespace.kill(&component(name), name).await?;
            orders.more(20).await?;
        }
        Ok(())
    });
    killed.await.unwrap();
}

#[tokio::test]
async fn a_restart_of_kafka_and_postgresql_loses_no_order() {
    let victim = Victim::new().await;
    let restarted = under_load(&victim.namespace, &victim.client, async |orders| {
        for name in ["shop-kafka", "shop-postgresql"] {
            victim.namespace.restart(name).await?;
            orders.more(20).await?;
        }
        Ok(())
    });
    restarted.await.unwrap();
}

#[tokio::test]
async fn a_drained_node_loses_no_order() {
    let victim = Victim::new().await;
    let drained =
        under_load(&victim.namespace, &victim.client, async |_| victim.namespace.drain().await);
    drained.await.unwrap();
}
