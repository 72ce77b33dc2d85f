use rdkafka::Message as _;
use reqwest::Method;
use serde_json::json;

use crate::shop::{TASKS, TestShop, UPDATES, header, number, payload};

#[tokio::test]
async fn an_order_goes_from_account_to_finished_and_another_is_cancelled() {
    let shop = TestShop::start().await;
    let opened = shop.send(Method::POST, "/users", r#"{"user_id":1,"balance":1400}"#).await;
    assert_eq!(opened.status, 201);
    assert_eq!(
        (opened.json()["user_id"].as_i64(), number(&opened.text, "balance")),
        (Some(1), "1400".to_owned())
    );
    let topped = shop.send(Method::PATCH, "/users/1", r#"{"balance_change":300.5}"#).await;
    assert_eq!(
        (topped.status.as_u16(), number(&topped.text, "balance")),
        (200, "1700.5".to_owned())
    );

    let placed = shop
        .send(
            Method::POST,
            "/orders",
            r#"{"user_id":1,"amount":1000.1234,"description":"Summer sale item"}"#,
        )
        .await;
    assert_eq!(placed.status, 201);
    let order = placed.json();
    assert_eq!(order["status"], "NEW");
    assert_eq!(order["description"], "Summer sale item");
    assert_eq!(number(&placed.text, "amount"), "1000.1234");
    let id = order["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(shop.settled(id).await, ("FINISHED".to_owned(), None));
    assert_eq!(shop.balance(1).await, "700.3766");

    let second = shop.order(1, "700.3767").await;
    assert_eq!(
        shop.settled(second).await,
        ("CANCELLED".to_owned(), Some("insufficient_funds".to_owned()))
    );
    assert_eq!(shop.balance(1).await, "700.3766");

    let ledger = shop.get("/users/1/ledger").await.json();
    let entries = ledger.as_array().or_else(|| ledger["items"].as_array()).unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["payment", "top_up", "opening"]);
    assert_eq!(entries[0]["order_id"], order["id"]);

    let listed = shop.get("/orders/user/1").await.json();
    let ids: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|order| order["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        ids,
        [second.to_string(), id.to_string()],
        "newest first, a plain array when not asked for pages"
    );
}

/// What other systems consume: topics, keys, payloads and headers.
#[tokio::test]
async fn the_messages_are_those_of_the_original_with_id_type_and_trace_in_headers() {
    let shop = TestShop::start().await;
    shop.open_account(7, "5").await;
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let response = reqwest::Client::new()
        .post(format!("{}/orders", shop.shop.gateway_url()))
        .header("content-type", "application/json")
        .bearer_auth(shop.token())
        .header("traceparent", traceparent)
        .body(r#"{"user_id":7,"amount":2.5,"description":"tea"}"#)
        .send()
        .await
        .unwrap();
    let order: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    let id = order["id"].as_str().unwrap().to_owned();

    let task = &shop.read(TASKS, 1).await[0];
    assert_eq!(task.key().unwrap(), id.as_bytes());
    let body: serde_json::Value = serde_json::from_str(&payload(task)).unwrap();
    assert_eq!(body, json!({ "amount": 2.5, "user_id": 7, "order_id": id, "description": "tea" }));
    assert_eq!(header(task, "type").as_deref(), Some("order.payment_requested"));
    assert!(header(task, "id").is_some());
    let trace = "0af7651916cd43dd8448eb211c80319c";
    assert!(header(task, "traceparent").unwrap().contains(trace), "the trace goes on");

    let update = &shop.read(UPDATES, 1).await[0];
    assert_eq!(update.key().unwrap(), id.as_bytes());
    let body: serde_json::Value = serde_json::from_str(&payload(update)).unwrap();
    assert_eq!(
        (&body["order_id"], &body["status"], &body["amount"], body.get("error")),
        (&json!(id), &json!("SUCCESS"), &json!(2.5), None)
    );
    assert_eq!(header(update, "type").as_deref(), Some("payment.succeeded"));
    assert!(header(update, "traceparent").unwrap().contains(trace), "over both hops");
}

#[tokio::test]
async fn bad_input_through_the_gateway_is_a_problem_that_names_the_field() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let too_long = format!(r#"{{"user_id":1,"amount":1,"description":"{}"}}"#, "x".repeat(70_000));
    let cases = [
        (Method::POST, "/orders", r#"{"user_id":1,"amount":"#, 400, "amount"),
        (Method::POST, "/orders", r#"{"user_id":"one","amount":1}"#, 400, "user_id"),
        (Method::POST, "/orders", r#"{"user_id":1,"amount":"ten"}"#, 400, "amount"),
        (Method::POST, "/orders", r#"{"user_id":1,"amount":-1}"#, 400, "amount"),
        (Method::POST, "/orders", r#"{"user_id":1,"amount":1.00001}"#, 400, "amount"),
        (
            Method::POST,
            "/orders",
            r#"{"user_id":1,"amount":123456789012345678901234567890}"#,
            400,
            "amount",
        ),
        (Method::POST, "/orders", r#"{"user_id":1,"amount":1,"colour":"red"}"#, 400, "colour"),
        (Method::POST, "/orders", r#"{"amount":1}"#, 400, "user_id"),
        (Method::POST, "/orders", &too_long, 413, ""),
        (Method::GET, "/orders/not-a-uuid", "", 400, "id"),
        (Method::GET, "/orders/00000000-0000-0000-0000-000000000000", "", 404, ""),
        (Method::GET, "/orders?limit=0", "", 400, "limit"),
        (Method::GET, "/users/abc", "", 400, "user_id"),
        (Method::GET, "/users/999", "", 404, ""),
        (Method::POST, "/users", r#"{"user_id":-1}"#, 400, "user_id"),
        (Method::POST, "/users", r#"{"user_id":2,"balance":-0.0001}"#, 400, "balance"),
        (Method::POST, "/users", r#"{"user_id":1}"#, 409, ""),
        (Method::PATCH, "/users/1", r#"{"balance_change":-11}"#, 400, "balance_change"),
        (Method::PATCH, "/users/1", r#"{"balance_change":0.00001}"#, 400, "balance_change"),
        (Method::GET, "/nothing", "", 404, ""),
    ];
    for (method, path, body, status, field) in cases {
        let answer = shop.send(method, path, body).await;
        answer.assert_problem(status, field);
    }
    assert_eq!(shop.balance(1).await, "10", "and nothing has happened");
    assert_eq!(shop.get("/orders").await.text, "[]");
}

#[tokio::test]
async fn an_orders_timeline_shows_its_way_through_both_services() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let (paid, poor) = (shop.order(1, "7").await, shop.order(1, "1000").await);
    for (id, decided, end) in [(paid, "paid", "finished"), (poor, "refused", "cancelled")] {
        shop.settled(id).await;
        let timeline = shop.get(&format!("/orders/{id}/timeline")).await.json();
        assert_eq!((&timeline["order_id"], &timeline["complete"]), (&json!(id), &json!(true)));
        assert_eq!(timeline["trace_id"].as_str().unwrap().len(), 32);
        let steps = timeline["steps"].as_array().unwrap();
        let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
        let expected = [
            "accepted",
            "task_published",
            "task_received",
            decided,
            "outcome_published",
            "outcome_received",
            end,
        ];
        assert_eq!(names, expected);
        let elapsed: Vec<f64> =
            steps.iter().map(|step| step["elapsed_ms"].as_f64().unwrap()).collect();
        assert!(elapsed[0] == 0.0 && elapsed.is_sorted(), "{timeline}");
        assert!(elapsed[6] > 0.0 && elapsed[6] < 120_000.0, "{timeline}");
    }
}
