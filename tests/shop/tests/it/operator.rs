//! What operators see and decide, with the sidecars that there are.

use reqwest::Method;
use test_support::wait;

use crate::shop::{PATIENCE, TASKS, TestShop};

#[tokio::test]
async fn an_operator_sees_a_message_that_cannot_be_applied_and_skips_it() {
    let shop = TestShop::start().await;
    let overview = shop.get("/operator/pipeline").await.json();
    let services = overview["services"].as_array().unwrap();
    let names: Vec<_> = services.iter().map(|it| it["service"].as_str().unwrap()).collect();
    assert_eq!(names, ["orders", "payments", "gateway"]);
    assert!(services.iter().all(|it| it["available"] == true), "{overview}");
    assert!(services[0]["status"]["outboxes"]["orders"]["pendingRows"].is_i64(), "{overview}");

    let id = shop.produce(TASKS, "x", "order.payment_requested", b"not json").await.to_string();
    let letters = "/operator/pipeline/payments/dead-letters";
    let letter = wait::until("it is a dead letter", PATIENCE, || async {
        let page = shop.get(&format!("{letters}?direction=inbox")).await.json();
        page["items"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(
        (&letter["name"], &letter["id"]),
        (&"order-payment-tasks".into(), &id.clone().into())
    );
    assert!(!letter["reason"].as_str().unwrap().is_empty());
    let outbox = shop.get(&format!("{letters}?direction=outbox")).await.json();
    assert_eq!(outbox["items"], serde_json::json!([]));

    let named = format!(r#"{{"inbox":"order-payment-tasks","id":"{id}"}}"#);
    let skipped = shop.send(Method::POST, &format!("{letters}/skip"), &named).await.json();
    assert_eq!(skipped, serde_json::json!({"settled": 1, "gone": []}));
    let page = shop.get(letters).await.json();
    assert_eq!((&page["items"], &page["next_cursor"]), (&serde_json::json!([]), &().into()));
    let audit = shop.database("payments").await;
    let row = audit
        .query_one("SELECT actor, action FROM outbox_sidecar.audit WHERE actor = 'operator'", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>("action"), "dead-letter.skip");
}
