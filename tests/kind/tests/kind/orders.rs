use std::time::Duration;

use kind_tests::{PATIENCE, helm::Release, ingress};
use rust_decimal::Decimal;
use shop_tests::{burst::Burst, client::Client};

use crate::standing::Shared;

/// Between two looks at an order.
const PAUSE: Duration = Duration::from_millis(50);

#[tokio::test]
async fn through_the_ingress_an_order_is_paid_and_another_cancelled_with_its_reason() {
    let _shared = Shared::new().await;
    pay_one_and_cancel_one(&ingress::shop("api.shop.localhost").unwrap()).await;
}

#[tokio::test]
async fn the_chart_s_own_test_passes() {
    let shared = Shared::new().await;
    let shop = shared.cluster.namespace("shop");
    Release::new(&shop, "shop", "orders-payments").test().await.unwrap();
}

/// By a user of its own, with 1400 in the account.
pub(crate) async fn pay_one_and_cancel_one(client: &Client) {
    let nothing = Burst { orders: 0, users: 1, connections: 1 };
    let opened = nothing.prepare(client).await.unwrap().run(PATIENCE).await.unwrap();
    let (user, deposit) = opened.deposits[0];
    client.change_balance(user, Decimal::from(1400) - deposit).await.unwrap();

    let order = client.place_order(user, Decimal::from(1000)).await.unwrap();
    assert_eq!(order.status, "NEW");
    let paid = client.settled(order.id, PATIENCE, PAUSE).await.unwrap();
    assert_eq!((paid.status.as_str(), paid.reason), ("FINISHED", None));
    assert_eq!(client.account(user).await.unwrap().balance, Decimal::from(400));

    let order = client.place_order(user, Decimal::from(1000)).await.unwrap();
    let cancelled = client.settled(order.id, PATIENCE, PAUSE).await.unwrap();
    assert_eq!(
        (cancelled.status.as_str(), cancelled.reason.as_deref()),
        ("CANCELLED", Some("insufficient_funds"))
    );
    assert_eq!(client.account(user).await.unwrap().balance, Decimal::from(400));
}
