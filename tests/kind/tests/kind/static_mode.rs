use k8s_openapi::api::core::v1::ConfigMap;
use kind_tests::{
    Namespace,
    helm::Release,
    relay::{SIDECAR, container},
};
use shop_tests::client::Client;
use uuid::Uuid;

use crate::{
    orders::pay_one_and_cancel_one,
    standing::{Shared, component},
};

#[tokio::test]
async fn the_static_mode_needs_no_operator() {
    let shared = Shared::new().await;
    let namespace = Namespace::fresh(&shared.cluster, "e2e-static").await.unwrap();
    let release = Release::new(&namespace, "static", "orders-payments");
    let own = Uuid::new_v4();
    let settings = [
        format!("kafka.topics.orderPaymentTasks=tasks-{own}"),
        format!("kafka.topics.paymentStatusUpdates=updates-{own}"),
        format!("kafka.topics.orderEvents=order-events-{own}"),
        format!("kafka.topics.accountEvents=account-events-{own}"),
        format!("kafka.consumerGroups.orders=orders-{own}"),
        format!("kafka.consumerGroups.payments=payments-{own}"),
    ];
    let settings: Vec<_> = settings.iter().map(String::as_str).collect();
    let values =
        ["small", "unexposed", "static"].map(|name| format!("tests/kind/values/{name}.yaml"));
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    release.install(&values, &settings).await.unwrap();

    let all = namespace.everything().await.unwrap();
    assert!(!all.iter().any(|object| object.starts_with("Relay ")), "{all:?}");
    for service in ["orders", "payments"] {
        let pod = namespace.ready_pod(&component(service)).await.unwrap();
        assert!(container(&pod, SIDECAR).unwrap().ready);
        let annotations = pod.metadata.annotations.unwrap_or_default();
        assert!(
            !annotations.keys().any(|key| key.starts_with("outbox-sidecar.dev/")),
            "{annotations:?}"
        );
        let config = format!("shop-{service}-outbox-sidecar");
        assert!(namespace.api::<ConfigMap>().get_opt(&config).await.unwrap().is_some());
    }
    let forward = namespace.forward_service("shop-gateway", 80).await.unwrap();
    pay_one_and_cancel_one(&Client::new(forward.url()).unwrap()).await;
    namespace.delete().await.unwrap();
}
