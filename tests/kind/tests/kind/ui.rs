use kind_tests::ingress;
use reqwest::Client as Http;
use shop_tests::client::Client;

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
    let answer = http.get(format!("{url}/api/orders?limit=1")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
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
