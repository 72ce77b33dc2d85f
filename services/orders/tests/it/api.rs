//! What each route answers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Service, TRACE_ID, TRACEPARENT};
use test_support::answer::Answer;

#[tokio::test]
async fn a_new_order_is_answered_in_full() {
    let service = Service::start("orders_new").await;
    let body = json!({"user_id": 1, "amount": 1000, "description": "Summer sale item"});
    for path in ["/orders", "/orders/"] {
        let answer = service.post_text(path, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let order = answer.json();
        let mut members: Vec<&String> = order.as_object().unwrap().keys().collect();
        members.sort();
        let expected = [
            "amount",
            "created_at",
            "description",
            "id",
            "reason",
            "status",
            "updated_at",
            "user_id",
        ];
        assert_eq!(members, expected);
        assert_eq!(order["user_id"], 1);
        assert_eq!(order["amount"], 1000);
        assert_eq!(order["description"], "Summer sale item");
        assert_eq!(order["status"], "NEW");
        assert_eq!(order["reason"], Value::Null);
        let created: jiff::Timestamp = order["created_at"].as_str().unwrap().parse().unwrap();
        assert!(created.as_second().abs_diff(jiff::Timestamp::now().as_second()) < 60);

        let found = service.get(&format!("/orders/{}", order["id"].as_str().unwrap())).await;
        assert_eq!(found.status, StatusCode::OK);
        assert_eq!(found.json(), order);
    }
}

#[tokio::test]
async fn an_order_and_the_request_for_its_payment_are_written_together() {
    let service = Service::start("orders_outbox").await;
    let request = service
        .request(Method::POST, "/orders")
        .header("traceparent", TRACEPARENT)
        .header("content-type", "application/json")
        .body(r#"{"user_id":7,"amount":999999999999999.9999,"description":"vase"}"#);
    let answer = Answer::of(request).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert!(answer.text.contains(r#""amount":999999999999999.9999"#), "{}", answer.text);
    let id: Uuid = answer.json()["id"].as_str().unwrap().parse().unwrap();

    let rows = service
        .rows(
            "SELECT aggregate_type, aggregate_id, type, payload::text, headers->>'traceparent', \
             payload->>'amount' FROM outbox",
            &[],
        )
        .await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row.get::<_, &str>(0), "order");
    assert_eq!(row.get::<_, &str>(1), id.to_string());
    assert_eq!(row.get::<_, &str>(2), "order.payment_requested");
    let mut payload: Value = serde_json::from_str(row.get(3)).unwrap();
    payload["amount"] = Value::Null;
    assert_eq!(
        payload,
        json!({"amount": null, "user_id": 7, "order_id": id, "description": "vase"})
    );
    assert!(row.get::<_, &str>(4).contains(TRACE_ID));
    assert_eq!(row.get::<_, &str>(5), "999999999999999.9999");
}

#[tokio::test]
async fn a_description_is_optional() {
    let service = Service::start("orders_description").await;
    for body in
        [r#"{"user_id":1,"amount":10.50}"#, r#"{"user_id":1,"amount":10.5,"description":null}"#]
    {
        let answer = service.post_text("/orders", body).await;
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.json()["description"], "");
        assert!(answer.text.contains(r#""amount":10.5,"#));
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_empty_for_strangers() {
    let service = Service::start("orders_lists").await;
    assert_eq!(service.get("/orders").await.text, "[]");
    let mut newest_first = Vec::new();
    for user_id in [1, 2, 1] {
        newest_first.insert(0, service.order(user_id, 5).await.to_string());
    }
    let ids = |answer: Answer| -> Vec<String> {
        assert_eq!(answer.status, StatusCode::OK);
        let list = answer.json();
        list.as_array()
            .unwrap()
            .iter()
            .map(|order| order["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for path in ["/orders", "/orders/"] {
        assert_eq!(ids(service.get(path).await), newest_first);
    }
    let of_one = [newest_first[0].clone(), newest_first[2].clone()];
    assert_eq!(ids(service.get("/orders/user/1").await), of_one);
    assert_eq!(ids(service.get("/orders/user/2/").await), newest_first[1..2]);
    assert_eq!(service.get("/orders/user/9").await.text, "[]");
}

#[tokio::test]
async fn health_is_told_in_words() {
    let service = Service::start("orders_health").await;
    let answer = service.get("/health").await;
    assert_eq!(
        (answer.status, answer.text.as_str()),
        (StatusCode::OK, "Orders service is healthy!")
    );
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let service = Service::start("orders_missing").await;
    service.get(&format!("/orders/{}", Uuid::now_v7())).await.assert_problem(404, "");
    service.get("/orders/17").await.assert_problem(400, "id");
    service.get("/orders/user/abc").await.assert_problem(400, "user_id");
    service.get("/nowhere").await.assert_problem(404, "");
    let answer = Answer::of(service.request(Method::DELETE, "/orders")).await;
    answer.assert_problem(405, "");
    let allowed = answer.header("allow").unwrap();
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
}

#[tokio::test]
async fn a_request_id_is_kept_or_made() {
    let service = Service::start("orders_request_id").await;
    let request = service.request(Method::GET, "/orders").header("x-request-id", "r-1");
    assert_eq!(Answer::of(request).await.header("x-request-id"), Some("r-1"));
    let made = service.get("/orders").await;
    assert!(Uuid::parse_str(made.header("x-request-id").unwrap()).is_ok());
}
