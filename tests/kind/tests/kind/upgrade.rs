use kind_tests::load::under_load;

use crate::standing::{VICTIM_VALUES, Victim};

/// Each component that has pods of its own gets new ones.
const ROLL: [&str; 4] = [
    "orders.podAnnotations.upgraded=yes",
    "payments.podAnnotations.upgraded=yes",
    "gateway.podAnnotations.upgraded=yes",
    "ui.podAnnotations.upgraded=yes",
];

/// How many requests may fail, out of hundreds.
const UNLUCKY: usize = 3;

#[tokio::test]
async fn an_upgrade_under_load_loses_nothing() {
    let victim = Victim::new().await;
    let upgraded = under_load(&victim.namespace, &victim.client, async |_| {
        victim.release().install(&VICTIM_VALUES, &ROLL).await?;
        victim.namespace.settled().await
    });
    upgraded.await.unwrap();
    // A pod stops listening when nobody sends to it any more. What may fail is a
    // request on its way over a kept connection at the moment it is closed.
    let outages = victim.client.outages();
    assert!(outages.len() <= UNLUCKY, "requests had to be repeated: {outages:#?}");
    for pod in victim
        .namespace
        .pods("app.kubernetes.io/component in (orders, payments, gateway, ui)")
        .await
        .unwrap()
    {
        assert!(
            pod.metadata.annotations.unwrap().contains_key("upgraded"),
            "a pod was not replaced"
        );
    }
}
