//! Requests that cannot be carried out, and leave nothing behind.

use crate::harness::{MAX_BODY, Service};

#[tokio::test]
async fn bad_accounts_are_refused_with_the_field_to_blame() {
    let service = Service::start("payments_bad").await;
    for (body, field) in [
        ("", ""),
        ("{", ""),
        ("[]", ""),
        ("[1,10]", ""),
        ("{}", "user_id"),
        (r#"{"user_id":"1"}"#, "user_id"),
        (r#"{"user_id":1.5}"#, "user_id"),
        (r#"{"user_id":99999999999999999999}"#, "user_id"),
        (r#"{"user_id":0}"#, "user_id"),
        (r#"{"user_id":-5,"balance":1}"#, "user_id"),
        (r#"{"user_id":1,"balance":"1"}"#, "balance"),
        (r#"{"user_id":1,"balance":-1}"#, "balance"),
        (r#"{"user_id":1,"balance":-0.0001}"#, "balance"),
        (r#"{"user_id":1,"balance":0.00001}"#, "balance"),
        (r#"{"user_id":1,"balance":123456789012345678901234567890}"#, "balance"),
        (r#"{"user_id":1,"balance":1,"colour":"red"}"#, "colour"),
    ] {
        let answer = service.post_text("/users", body).await;
        println!("{body}");
        answer.assert_problem(400, field);
    }
    assert_eq!(service.count("SELECT count(*) FROM accounts", &[]).await, 0);
}

#[tokio::test]
async fn bad_changes_are_refused_with_the_field_to_blame() {
    let service = Service::start("payments_bad_change").await;
    service.open(1, 10).await;
    for (body, field) in [
        ("", ""),
        ("{", ""),
        ("[5]", ""),
        (r#"{"balance_change":"1"}"#, "balance_change"),
        (r#"{"balance_change":1.23456}"#, "balance_change"),
        (r#"{"balance_change":-123456789012345678901234567890}"#, "balance_change"),
        (r#"{"balance":1}"#, "balance"),
    ] {
        let answer = service.patch_text(1, body).await;
        println!("{body}");
        answer.assert_problem(400, field);
    }
    assert_eq!(service.balance(1).await, 10);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let service = Service::start("payments_large").await;
    let body = format!(r#"{{"user_id":1,"balance":1{}}}"#, " ".repeat(MAX_BODY));
    service.post_text("/users", body.clone()).await.assert_problem(413, "");
    service.patch_text(1, body).await.assert_problem(413, "");
}
