use std::time::Duration;

use anyhow::ensure;
use kind_tests::{Namespace, PATIENCE, helm::Release};
use rust_decimal::Decimal;
use shop_tests::client::Client;

use crate::standing::Shared;

const VALUES: [&str; 2] = ["tests/kind/values/small.yaml", "tests/kind/values/unexposed.yaml"];

/// What the chart's notes say that `helm uninstall` leaves behind.
const LEFT: [&str; 5] = [
    "PersistentVolumeClaim data-shop-kafka-0",
    "PersistentVolumeClaim data-shop-postgresql-0",
    "Secret shop-orders-db",
    "Secret shop-payments-db",
    "Secret shop-postgresql",
];

#[tokio::test]
async fn uninstalling_the_shop_leaves_its_data_and_what_opens_it_and_nothing_else() {
    let shared = Shared::new().await;
    let namespace = Namespace::fresh(&shared.cluster, "e2e-uninstall").await.unwrap();
    let release = Release::new(&namespace, "uninstall", "orders-payments");
    release.install(&VALUES, &[]).await.unwrap();
    let forward = namespace.forward_service("shop-gateway", 80).await.unwrap();
    let client = Client::new(forward.url()).unwrap();
    client.open_account(1, Decimal::from(10)).await.unwrap();
    let order = client.place_order(1, Decimal::from(4)).await.unwrap();
    client.settled(order.id, PATIENCE, Duration::from_millis(50)).await.unwrap();

    release.uninstall().await.unwrap();
    let gone = namespace.until("nothing else is left", PATIENCE, async || {
        let left = namespace.everything().await?;
        ensure!(left == LEFT, "there are {left:#?}");
        Ok(())
    });
    gone.await.unwrap();

    release.install(&VALUES, &[]).await.unwrap();
    let forward = namespace.forward_service("shop-gateway", 80).await.unwrap();
    let client = Client::new(forward.url()).unwrap();
    assert_eq!(client.order(order.id).await.unwrap().status, "FINISHED", "the data is there again");
    assert_eq!(client.account(1).await.unwrap().balance, Decimal::from(6));
    let order = client.place_order(1, Decimal::from(6)).await.unwrap();
    let order = client.settled(order.id, PATIENCE, Duration::from_millis(50)).await.unwrap();
    assert_eq!(order.status, "FINISHED", "and the topics go on");
    namespace.delete().await.unwrap();
}
