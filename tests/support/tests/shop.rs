//! The whole shop, started as the cross-process suites start it.

#![expect(clippy::unwrap_used, reason = "the helper functions are as much a test as the tests")]

use std::time::Duration;

use serde_json::{Value, json};
use test_support::shop::{Shop, ShopOptions};
use test_support::{demo_token, wait};

const DEADLINE: Duration = Duration::from_secs(60);

async fn post(shop: &Shop, path: &str, body: Value) -> Value {
    let url = format!("{}{path}", shop.gateway_url());
    answer(shop, reqwest::Client::new().post(url).json(&body)).await
}

async fn get(shop: &Shop, path: &str) -> Value {
    let url = format!("{}{path}", shop.gateway_url());
    answer(shop, reqwest::Client::new().get(url)).await
}

async fn answer(shop: &Shop, request: reqwest::RequestBuilder) -> Value {
    let token = demo_token::of_operator(&reqwest::Client::new(), &shop.gateway_url()).await;
    let answer = request.bearer_auth(token.unwrap()).send().await.unwrap();
    answer.error_for_status().unwrap().json().await.unwrap()
}

/// Waits until the order is in `status`.
async fn becomes(shop: &Shop, order: &Value, status: &str) {
    let path = format!("/orders/{}", order["id"].as_str().unwrap());
    wait::until(&format!("the order is {status}"), DEADLINE, || async {
        (get(shop, &path).await["status"] == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_order_is_paid_also_after_its_sidecars_were_killed() {
    let shop = Shop::start(ShopOptions::on_shared_servers().await).await.unwrap();
    post(&shop, "/users", json!({ "user_id": 1, "balance": 100 })).await;
    let order = json!({ "user_id": 1, "amount": 30, "description": "lamp" });
    let first = post(&shop, "/orders", order.clone()).await;
    becomes(&shop, &first, "FINISHED").await;

    shop.part("orders-sidecar").unwrap().kill().await;
    shop.part("payments-sidecar").unwrap().kill().await;
    let second = post(&shop, "/orders", order).await;
    shop.part("orders-sidecar").unwrap().start().await.unwrap();
    shop.part("payments-sidecar").unwrap().start().await.unwrap();
    becomes(&shop, &second, "FINISHED").await;

    assert_eq!(get(&shop, "/users/1").await["balance"], json!(40));
    assert!(shop.database_url("orders").unwrap().starts_with("postgres://orders"));
    let metrics = format!("{}/metrics", shop.admin_url("orders-sidecar").unwrap());
    assert!(reqwest::get(metrics).await.unwrap().status().is_success());
    shop.stop().await;
}
