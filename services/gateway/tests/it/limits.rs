//! Those who ask too often.

use axum::http::Method;
use futures::future::join_all;
use test_support::answer::Answer;

use crate::harness::Gateway;

fn retry_after(answer: &Answer) -> u64 {
    assert_eq!(answer.assert_problem(429, "")["code"], "rate_limited");
    answer.header("retry-after").unwrap().parse().unwrap()
}

fn count(gateway: &Gateway, reason: &str) -> bool {
    let text = gateway.metrics.render().unwrap();
    text.contains(&format!("gateway_refused_requests_total{{reason=\"{reason}\"}}"))
}

#[tokio::test]
async fn an_identity_that_asks_too_often_waits_and_others_do_not() {
    let flags = ["--rate-limit-per-identity=1", "--rate-limit-burst-seconds=5"];
    let gateway = Gateway::start_with(&flags).await;
    let eager = gateway.demo_token(r#"{"user_id":7}"#).await;
    let answers = join_all((0..20).map(|_| gateway.get_as(&eager, "/auth/me"))).await;
    let (good, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status.as_u16() == 200);
    assert!((5..=7).contains(&good.len()), "{} were let in", good.len());
    for answer in refused {
        assert!((1..=2).contains(&retry_after(answer)), "{answer:?}");
    }
    // Another token of the same user changes nothing; another user is free.
    let again = gateway.demo_token(r#"{"user_id":7}"#).await;
    retry_after(&gateway.get_as(&again, "/auth/me").await);
    let other = gateway.demo_token(r#"{"user_id":8}"#).await;
    assert_eq!(gateway.get_as(&other, "/auth/me").await.status.as_u16(), 200);
    assert!(count(&gateway, "identity_limit"));
}

#[tokio::test]
async fn an_address_that_asks_too_often_waits_whoever_it_says_it_is() {
    let flags = ["--rate-limit-per-address=1", "--rate-limit-burst-seconds=5"];
    let gateway = Gateway::start_with(&flags).await;
    let guess = |number: usize| {
        let token = format!("guess-{number}");
        let request = gateway.request_as(Some(&token), Method::GET, "/auth/me");
        Answer::of(request.header("x-forwarded-for", format!("203.0.113.{number}")))
    };
    let answers = join_all((0..20).map(guess)).await;
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 429).collect();
    assert!(limited.len() >= 14, "only {} of 20 were refused", limited.len());
    for answer in limited {
        retry_after(answer);
    }
    assert!(count(&gateway, "address_limit"));
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_has_its_own_limit() {
    let flags = ["--trust-forwarded", "--rate-limit-per-address=1", "--rate-limit-burst-seconds=3"];
    let gateway = Gateway::start_with(&flags).await;
    let ask = |from: &'static str| {
        let request = gateway.request(Method::GET, "/auth/config");
        Answer::of(request.header("x-forwarded-for", from))
    };
    let busy = join_all((0..8).map(|_| ask("203.0.113.1"))).await;
    assert!(busy.iter().any(|answer| answer.status.as_u16() == 429));
    assert_eq!(ask("203.0.113.2").await.status.as_u16(), 200);
}
