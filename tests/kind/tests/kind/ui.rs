use anyhow::ensure;
use kind_tests::{PATIENCE, ingress};
use reqwest::Client as Http;
use serde_json::Value;
use shop_tests::client::Client;
use test_support::demo_token;

use crate::{orders::pay_one_and_cancel_one, standing::Shared};

#[tokio::test]
async fn one_forwarded_port_has_the_web_interface_and_the_api() {
    let shared = Shared::new().await;
    let shop = shared.cluster.namespace("shop");
    let forward = shop.forward_service("shop-ui", 80).await.unwrap();
    assert_page(&Http::builder().no_proxy().build().unwrap(), &forward.url()).await;
    let client = Client::new(format!("{}/api", forward.url())).unwrap();
    pay_one_and_cancel_one(&client).await;
}

#[tokio::test]
async fn the_ingress_has_the_web_interface_and_the_api_on_one_host() {
    let _shared = Shared::new().await;
    let url = ingress::url("shop.localhost");
    let http = ingress::http("shop.localhost").unwrap();
    assert_page(&http, &url).await;
    let token = demo_token::of_operator(&http, &format!("{url}/api")).await.unwrap();
    let request = http.get(format!("{url}/api/orders?limit=1")).bearer_auth(token);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
}

/// The gateway may ask every sidecar: the network lets it, and the token opens it.
#[tokio::test]
async fn an_operator_sees_every_sidecar_through_the_ingress() {
    let shared = Shared::new().await;
    let url = ingress::url("api.shop.localhost");
    let http = ingress::http("api.shop.localhost").unwrap();
    let token = demo_token::of_operator(&http, &url).await.unwrap();
    let get = async |path: String| -> anyhow::Result<Value> {
        let request = http.get(format!("{url}/operator/pipeline{path}")).bearer_auth(&token);
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.json().await?;
        ensure!(status == 200, "{path}: {status} {body}");
        Ok(body)
    };
    let shop = shared.cluster.namespace("shop");
    let seen = shop.until("every sidecar answers", PATIENCE, async || {
        let overview = get(String::new()).await?;
        let services = overview["services"].as_array().into_iter().flatten();
        let there = services.filter(|service| service["available"] == true).count();
        ensure!(there == 3, "{overview}");
        for service in ["orders", "payments"] {
            let letters = get(format!("/{service}/dead-letters")).await?;
            ensure!(letters["items"].is_array(), "{letters}");
        }
        Ok(())
    });
    seen.await.unwrap();
}

/// The page, and what it loads.
async fn assert_page(http: &Http, url: &str) {
    let answer = http.get(format!("{url}/")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = answer.text().await.unwrap();
    assert!(page.contains("<div id=\"root\">"), "{page}");
    let script = page.split('"').find(|part| part.ends_with(".js")).unwrap();
    let answer =
        http.get(format!("{url}/{}", script.trim_start_matches('/'))).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{script}");
    assert!(answer.headers()["content-type"].to_str().unwrap().contains("javascript"));
}
