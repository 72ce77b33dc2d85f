//! Whatever happens: every order that was accepted ends, none is paid twice, and
//! deposits equal balances plus payments. `under_load` says so.

use kind_tests::{load::under_load, relay::SIDECAR};

use crate::standing::{Victim, component};

#[tokio::test]
async fn orders_scale_to_three_pods_and_back_under_load() {
    let victim = Victim::new().await;
    let scaled = under_load(&victim.namespace, &victim.client, async |orders| {
        victim.namespace.scale("shop-orders", 3).await?;
        orders.more(50).await?;
        victim.namespace.scale("shop-orders", 1).await
    });
    scaled.await.unwrap();
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
