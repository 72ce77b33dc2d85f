//! Which tokens open the door.

use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use test_support::answer::Answer;
use test_support::wait::until;
use tokio_util::sync::CancellationToken;

use crate::harness::Gateway;
use crate::issuer::{Issuer, RSA, RSA_OF_A_STRANGER, SigningKey, anything};

const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that trusts an issuer with these keys.
async fn trusting(keys: &[&SigningKey], more: &[&str]) -> (Gateway, Issuer) {
    let stop = CancellationToken::new();
    let issuer = Issuer::start(keys, &stop).await;
    let service = anything(&stop).await;
    let own = issuer.flags();
    let flags: Vec<&str> = own.iter().map(String::as_str).chain(more.iter().copied()).collect();
    (Gateway::before(service, service, &flags, stop).await, issuer)
}

async fn me(gateway: &Gateway, token: &str) -> Answer {
    gateway.get_as(token, "/auth/me").await
}

/// Asserts that a token is refused, with a reason that has these words.
async fn assert_refused(gateway: &Gateway, token: &str, words: &str) {
    let answer = me(gateway, token).await;
    let problem = answer.assert_problem(401, "");
    assert_eq!(problem["code"], "unauthenticated", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(words), "{words}: {problem}");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn a_good_token_says_who_asks() {
    let (rsa, ec) = (SigningKey::rsa("rsa", RSA), SigningKey::ec("ec"));
    let (gateway, issuer) = trusting(&[&rsa, &ec], &[]).await;
    for key in [&rsa, &ec] {
        let claims = issuer.claims();
        let answer = me(&gateway, &key.sign(&claims)).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        let exp = claims["exp"].as_i64().unwrap();
        let expires_at = jiff::Timestamp::from_second(exp).unwrap().to_string();
        let expected = json!({"user_id": 7, "operator": false, "expires_at": expires_at});
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let operator = issuer.claims_with(json!({"user_id": null, "roles": ["a", "operator"]}));
    let answer = me(&gateway, &rsa.sign(&operator)).await.json();
    assert_eq!((&answer["user_id"], &answer["operator"]), (&Value::Null, &json!(true)));
    let several = issuer.claims_with(json!({"aud": ["other", "shop"]}));
    assert_eq!(me(&gateway, &rsa.sign(&several)).await.status.as_u16(), 200);
}

#[tokio::test]
async fn without_a_token_nothing_but_the_way_to_one_is_open() {
    let key = SigningKey::ec("ec");
    let (gateway, issuer) = trusting(&[&key], &["--auth-client-id=web"]).await;
    for (method, path) in [
        (Method::GET, "/orders"),
        (Method::POST, "/orders"),
        (Method::GET, "/users/7"),
        (Method::GET, "/auth/me"),
    ] {
        let answer = Answer::of(gateway.request(method, path)).await;
        assert_eq!(answer.assert_problem(401, "")["code"], "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    let config = gateway.get("/auth/config").await.json();
    assert_eq!(config, json!({"mode": "jwt", "issuer": issuer.url, "client_id": "web"}));
    let demo = gateway.request(Method::POST, "/auth/demo-token").body(r#"{"user_id":1}"#);
    assert_eq!(Answer::of(demo).await.assert_problem(404, "")["code"], "not_found");
    let text = gateway.metrics.render().unwrap();
    let counted = "gateway_refused_requests_total{reason=\"unauthenticated\"} 4";
    assert!(text.contains(counted), "{text}");
}

#[tokio::test]
async fn tokens_that_claim_too_much_or_too_little_are_refused() {
    let key = SigningKey::ec("ec");
    let (gateway, issuer) = trusting(&[&key], &[]).await;
    let now = jiff::Timestamp::now().as_second();
    for (changes, words) in [
        (json!({"exp": now - 31}), "the token has expired"),
        (json!({"exp": null}), "not valid"),
        (json!({"exp": "tomorrow"}), "not valid"),
        (json!({"exp": now + 25 * 3600}), "valid for longer"),
        (json!({"exp": i64::MAX}), "valid for longer"),
        (json!({"nbf": now + 60}), "not valid"),
        (json!({"aud": "another-shop"}), "not valid"),
        (json!({"aud": ["a", "b"]}), "not valid"),
        (json!({"aud": null}), "not valid"),
        (json!({"iss": "https://evil.example"}), "not valid"),
        (json!({"iss": null}), "not valid"),
        (json!({"user_id": null}), "neither a user nor an operator"),
        (json!({"user_id": 7.0}), "neither a user nor an operator"),
        (json!({"user_id": 0}), "neither a user nor an operator"),
        (json!({"user_id": null, "roles": ["buyer"]}), "neither a user nor an operator"),
    ] {
        assert_refused(&gateway, &key.sign(&issuer.claims_with(changes)), words).await;
    }
    // Within the skew of clocks.
    let just_over = key.sign(&issuer.claims_with(json!({"exp": now - 20})));
    assert_eq!(me(&gateway, &just_over).await.status.as_u16(), 200);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (rsa, ec) = (SigningKey::rsa("rsa", RSA), SigningKey::ec("ec"));
    let (gateway, issuer) = trusting(&[&rsa, &ec], &[]).await;
    let claims = issuer.claims();

    let stranger = SigningKey::rsa("rsa", RSA_OF_A_STRANGER);
    assert_refused(&gateway, &stranger.sign(&claims), "not valid").await;
    assert_refused(&gateway, &SigningKey::ec("ec").sign(&claims), "not valid").await;
    let unknown = SigningKey::ec("unknown");
    assert_refused(&gateway, &unknown.sign(&claims), "does not publish").await;

    // Not signed at all.
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for none in ["none", "None", "NONE"] {
        let header = encoded(&json!({"alg": none, "typ": "JWT", "kid": "rsa"}));
        assert_refused(&gateway, &format!("{header}.{}.", encoded(&claims)), "not valid").await;
    }
    // The public key as if it were a shared secret.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("rsa".to_owned());
    for secret in [rsa.public["n"].as_str().unwrap().to_owned(), rsa.public.to_string()] {
        let forged =
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes()));
        assert_refused(&gateway, &forged.unwrap(), "HS256").await;
    }
    // Claims exchanged under a good signature.
    let good = ec.sign(&claims);
    let (head, rest) = good.split_once('.').unwrap();
    let signature = rest.split_once('.').unwrap().1;
    let other = encoded(&issuer.claims_with(json!({"user_id": 8})));
    assert_refused(&gateway, &format!("{head}.{other}.{signature}"), "not valid").await;
    // Not tokens at all.
    for nonsense in ["a", "a.b", "a.b.c", "..", &"x".repeat(9000)] {
        assert_refused(&gateway, nonsense, "").await;
    }
    for header in ["Basic YTpi", "Bearer", "bearer"] {
        let request = gateway.request(Method::GET, "/auth/me").header("authorization", header);
        Answer::of(request).await.assert_problem(401, "");
    }
    let good = ec.sign(&claims);
    let twice = gateway.request_as(Some(&good), Method::GET, "/auth/me").bearer_auth(&good);
    Answer::of(twice).await.assert_problem(401, "");
}

#[tokio::test]
async fn a_key_is_only_good_for_what_its_issuer_means_it_for() {
    let (mut rsa, shared) =
        (SigningKey::rsa("rsa", RSA), SigningKey::rsa("enc", RSA_OF_A_STRANGER));
    let flags = ["--auth-algorithms=RS256,RS512,ES256"];
    let (gateway, issuer) = trusting(&[&rsa], &flags).await;
    let mut encryption = shared.public.clone();
    encryption["use"] = json!("enc");
    let secret = json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"});
    let future = json!({"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AAAA"});
    issuer.publish_raw(vec![future, secret, encryption, rsa.public.clone()]);

    assert_eq!(me(&gateway, &rsa.sign(&issuer.claims())).await.status.as_u16(), 200);
    assert_refused(&gateway, &shared.sign(&issuer.claims()), "does not publish").await;
    // The key says RS256.
    rsa.algorithm = Algorithm::RS512;
    assert_refused(&gateway, &rsa.sign(&issuer.claims()), "RS512").await;
}

#[tokio::test]
async fn a_rotated_key_is_found_and_the_issuer_is_not_asked_for_every_unknown_one() {
    let (old, new) = (SigningKey::ec("old"), SigningKey::ec("new"));
    let (gateway, issuer) = trusting(&[&old], &[]).await;
    assert_eq!(me(&gateway, &old.sign(&issuer.claims())).await.status.as_u16(), 200);

    issuer.publish(&[&new]);
    until("the new key is accepted", PATIENCE, || async {
        let answer = me(&gateway, &new.sign(&issuer.claims())).await;
        (answer.status.as_u16() == 200).then_some(())
    })
    .await;
    assert_refused(&gateway, &old.sign(&issuer.claims()), "does not publish").await;

    let before = issuer.asked();
    let started = std::time::Instant::now();
    for _ in 0..50 {
        assert_refused(&gateway, &SigningKey::ec("made-up").sign(&issuer.claims()), "publish")
            .await;
    }
    let allowed = usize::try_from(started.elapsed().as_secs()).unwrap() + 2;
    assert!(issuer.asked() - before <= allowed, "asked {} times", issuer.asked() - before);
}

#[tokio::test]
async fn known_keys_serve_while_the_issuer_is_away() {
    let key = SigningKey::ec("ec");
    let (gateway, issuer) = trusting(&[&key], &[]).await;
    assert_eq!(me(&gateway, &key.sign(&issuer.claims())).await.status.as_u16(), 200);
    issuer.fail();
    assert_refused(&gateway, &SigningKey::ec("other").sign(&issuer.claims()), "publish").await;
    assert_eq!(me(&gateway, &key.sign(&issuer.claims())).await.status.as_u16(), 200);
}

#[tokio::test]
async fn without_keys_nobody_is_let_in_and_it_is_not_the_tokens_fault() {
    let key = SigningKey::ec("ec");
    let stop = CancellationToken::new();
    let issuer = Issuer::start(&[&key], &stop).await;
    issuer.fail();
    let service = anything(&stop).await;
    let own = issuer.flags();
    let flags: Vec<&str> = own.iter().map(String::as_str).collect();
    let gateway = Gateway::before(service, service, &flags, stop).await;
    let answer = me(&gateway, &key.sign(&issuer.claims())).await;
    answer.assert_problem(503, "");
    assert!(answer.header("retry-after").is_some());

    // It is asked again without anybody coming.
    issuer.publish(&[&key]);
    until("the issuer's keys are fetched", PATIENCE, || async {
        let answer = me(&gateway, &key.sign(&issuer.claims())).await;
        (answer.status.as_u16() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn demo_tokens_are_for_whom_they_were_asked_and_end() {
    let gateway = Gateway::start_with(&["--auth-demo-lifetime=1s"]).await;
    assert_eq!(gateway.get("/auth/config").await.json(), json!({"mode": "demo"}));
    let request = gateway.request_as(None, Method::POST, "/auth/demo-token");
    let answer = Answer::of(request.body(r#"{"user_id":7}"#)).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let issued = answer.json();
    assert_eq!(issued["token_type"], "Bearer");
    assert_eq!(issued["expires_in"], 1);
    assert_eq!((&issued["user_id"], &issued["operator"]), (&json!(7), &json!(false)));
    let token = issued["token"].as_str().unwrap();
    until("the token has ended", PATIENCE, || async {
        let answer = me(&gateway, token).await;
        (answer.status.as_u16() == 401).then_some(())
    })
    .await;
    assert_refused(&gateway, token, "the token has expired").await;

    for (wanted, field) in [
        ("{}", "user_id"),
        (r#"{"user_id":0}"#, "user_id"),
        (r#"{"user_id":1.5}"#, "body"),
        (r#"{"user_id":1,"admin":true}"#, "body"),
        ("", "body"),
    ] {
        let request = gateway.request_as(None, Method::POST, "/auth/demo-token").body(wanted);
        Answer::of(request).await.assert_problem(400, field);
    }
    // Another gateway's token is worth nothing here.
    let other = Gateway::start().await;
    assert_refused(&gateway, other.token(), "not valid").await;
}
