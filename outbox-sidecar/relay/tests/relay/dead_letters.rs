//! Looking at dead letters and deciding on them, by command and by HTTP.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use outbox_sidecar_core::config::{Config, SecretRef};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use test_support::wait;

use crate::harness::{
    Application, Bench, Listener, PATIENCE, Sidecar, header, key, number, stored,
};

async fn call(
    sidecar: &Sidecar,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (StatusCode, Value) {
    let mut request =
        reqwest::Client::new().request(method, format!("{}/dead-letters{path}", sidecar.admin));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or_default())
}

async fn list(sidecar: &Sidecar, query: &str) -> Vec<Value> {
    let (status, page) = call(sidecar, Method::GET, query, None).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn wait_for_dead(sidecar: &Sidecar, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} dead letters are listed"), PATIENCE, || async {
        Some(list(sidecar, "").await).filter(|items| items.len() == count)
    })
    .await
}

/// Who did what to what.
async fn audit(bench: &Bench) -> Vec<(String, String, String)> {
    let sql = "SELECT actor, action, subject FROM outbox_sidecar.audit ORDER BY id";
    let rows = bench.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// Rows with headers that are no object, of the keys given.
async fn with_dead_rows(label: &str, keys: &[&str]) -> (Bench, Sidecar) {
    let bench = Bench::prepared(label).await;
    let sidecar = bench.start(&bench.impatient_config()).await;
    for (number, key) in (1_i32..).zip(keys) {
        let sql = "INSERT INTO outbox (aggregate_id, payload, headers)
                   VALUES ($1, jsonb_build_object('number', $2::int4), '[]')";
        bench.client.execute(sql, &[key, &number]).await.unwrap();
    }
    sidecar.wake().await;
    wait_for_dead(&sidecar, keys.len()).await;
    (bench, sidecar)
}

#[tokio::test]
async fn rows_are_listed_shown_and_published_in_order_when_they_are_retried() {
    let (bench, sidecar) = with_dead_rows("dlretry", &["a", "b", "a"]).await;
    let (code, text) = sidecar.command(&["dead-letters", "list"]).await;
    assert_eq!(code, 0);
    assert!(text.contains("outbox/things/1\n  key: a\n"), "{text}");
    assert!(text.contains("not a JSON object"), "{text}");
    let (code, text) =
        sidecar.command(&["dead-letters", "show", "outbox/things/2", "--json"]).await;
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0);
    assert_eq!((&shown["key"], &shown["row"]["payload"]), (&json!("b"), &json!({ "number": 2 })));

    // Mended, but for the first: a dead letter dies again.
    bench.client.execute("UPDATE outbox SET headers = '{}' WHERE position > 1", &[]).await.unwrap();
    let (code, text) = sidecar.command(&["dead-letters", "retry", "--all"]).await;
    assert_eq!((code, text.as_str()), (0, "3 dead letters sent on their way again\n"));
    let mut listener = bench.listen();
    listener.wait_for(2).await;
    let expected = HashMap::from([("a".into(), vec![3]), ("b".into(), vec![2])]);
    assert_eq!(listener.first_by_key(), expected);
    wait_for_dead(&sidecar, 1).await;

    let (code, text) =
        sidecar.command(&["dead-letters", "skip", "outbox/things/1", "--actor", "ada"]).await;
    assert_eq!((code, text.as_str()), (0, "1 dead letters settled\n"));
    assert!(list(&sidecar, "").await.is_empty());
    let entry = |actor: &str, action: &str, position: i32| {
        (actor.to_owned(), action.to_owned(), format!("outbox/things/{position}"))
    };
    assert_eq!(
        audit(&bench).await,
        [
            entry("tester", "dead-letter.retry", 1),
            entry("tester", "dead-letter.retry", 2),
            entry("tester", "dead-letter.retry", 3),
            entry("ada", "dead-letter.skip", 1),
        ]
    );
}

#[tokio::test]
async fn a_retried_row_goes_before_the_parked_rows_of_its_key() {
    let bench = Bench::prepared("dlfirst").await;
    let mut config = bench.impatient_config();
    config.outboxes[0].poison.maximum_attempts = 1_000_000;
    config.outboxes[0].topic = format!("{}-{{aggregate_type}}", bench.topic).parse().unwrap();
    config.topics.create = false;
    let sidecar = bench.start(&config).await;
    bench
        .client
        .batch_execute(
            r#"INSERT INTO outbox (aggregate_type, aggregate_id, payload, headers) VALUES
                   ('late', 'a', '{"number": 1}', '[]'), ('late', 'a', '{"number": 2}', '[]'),
                   ('late', 'a', '{"number": 3}', '{}'), ('late', 'a', '{"number": 4}', '{}')"#,
        )
        .await
        .unwrap();
    sidecar.wake().await;
    let wait_for_parked = async |count: i64| {
        wait::until(&format!("{count} rows are parked"), PATIENCE, || async {
            let sql = "SELECT 1 FROM outbox_sidecar.parked HAVING count(*) = $1";
            bench.client.query_opt(sql, &[&count]).await.unwrap()
        })
        .await;
    };
    wait_for_parked(2).await;
    bench.client.execute("UPDATE outbox SET headers = '{}'", &[]).await.unwrap();
    let request = json!({ "actor": "ada", "key": "a" });
    let (_, answer) = call(&sidecar, Method::POST, "/retry", Some(request)).await;
    assert_eq!(answer, json!({ "settled": 2 }));
    wait_for_parked(4).await;
    let topic = format!("{}-late", bench.topic);
    bench.kafka.create_topic(&topic, 1).await.unwrap();
    let mut listener = Listener::new(bench.kafka.bootstrap(), &topic);
    listener.wait_for(4).await;
    assert_eq!(listener.first_by_key()["a"], [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_row_that_was_deleted_can_only_be_skipped() {
    let (bench, sidecar) = with_dead_rows("dlgone", &["a"]).await;
    bench.client.execute("DELETE FROM outbox", &[]).await.unwrap();
    let request = json!({ "actor": "ada", "outbox": "things" });
    let (status, answer) = call(&sidecar, Method::POST, "/retry", Some(request.clone())).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer, json!({ "settled": 0, "gone": ["outbox/things/1"] }));
    assert!(audit(&bench).await.is_empty());
    let (_, answer) = call(&sidecar, Method::POST, "/skip", Some(request)).await;
    assert_eq!(answer, json!({ "settled": 1 }));
}

#[tokio::test]
async fn the_list_comes_in_pages_and_by_key() {
    let (_bench, sidecar) = with_dead_rows("dlpages", &["a", "b", "a", "b", "a"]).await;
    let (mut after, mut ids) = (String::new(), Vec::new());
    loop {
        let (_, page) = call(&sidecar, Method::GET, &format!("?limit=2{after}"), None).await;
        let items = page["items"].as_array().unwrap();
        ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(items.len(), 2);
        after = format!("&after={next}");
    }
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(list(&sidecar, "?key=b").await.len(), 2);
    assert_eq!(list(&sidecar, "?key=a&id=3").await.len(), 1);
    let (code, text) =
        sidecar.command(&["dead-letters", "list", "--key", "a", "--limit", "2", "--json"]).await;
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &page["next"]), (0, &json!("outbox/things/3")));
}

/// Of ten messages the odd ones are rejected, until the application is mended.
async fn with_dead_messages(label: &str) -> (Bench, Application, Arc<AtomicBool>, Config) {
    let bench = Bench::prepared(label).await;
    bench.make_topic(2).await;
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = Arc::clone(&mended);
    let application = Application::answering(&bench, move |event| {
        let odd = event["data"]["number"].as_i64().is_some_and(|number| number % 2 == 1);
        if odd && !is_mended.load(Ordering::Relaxed) {
            ("rejected", "odd".into())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    for number in 0..10 {
        bench.send(&format!("k{}", number % 4), number).await;
    }
    let config = bench.inbox_config(&application);
    (bench, application, mended, config)
}

#[tokio::test]
async fn messages_are_applied_in_order_when_they_are_retried() {
    let (bench, _application, mended, config) = with_dead_messages("dlinbox").await;
    let sidecar = bench.start(&config).await;
    let dead = wait_for_dead(&sidecar, 5).await;
    assert!(
        dead.iter().all(|letter| letter["reason"] == "odd" && letter["side"] == "inbox"),
        "{dead:?}"
    );
    let id = dead[0]["id"].as_str().unwrap();
    let (status, shown) = call(&sidecar, Method::GET, &format!("/inbox/things/{id}"), None).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(shown["row"]["key"], shown["key"], "{shown}");
    assert_eq!(shown["row"]["payload"]["number"].as_i64().map(|number| number % 2), Some(1));

    mended.store(true, Ordering::Relaxed);
    let (code, text) =
        sidecar.command(&["dead-letters", "retry", "--inbox", "things", "--key", "k1"]).await;
    assert_eq!((code, text.as_str()), (0, "3 dead letters sent on their way again\n"));
    let effects = bench.wait_for_effects(8).await;
    let of_k1: Vec<i64> =
        effects.iter().filter(|(key, _)| key == "k1").map(|(_, number)| *number).collect();
    assert_eq!(of_k1, [1, 5, 9]);
    wait_for_dead(&sidecar, 2).await;

    let (code, _) = sidecar.command(&["dead-letters", "skip", "--all"]).await;
    assert_eq!(code, 0);
    wait_for_dead(&sidecar, 0).await;
    sidecar.stop().await;
    let sidecar = bench.start(&config).await;
    bench.send("k9", 100).await;
    assert_eq!(bench.wait_for_effects(9).await.len(), 9, "what was skipped is not delivered");
    assert_eq!(audit(&bench).await.len(), 5);
    let redriven = "outbox_sidecar_inbox_redriven_total";
    assert_eq!(sidecar.metric(redriven, &[]).await, 0.0, "each was taken once");
}

#[tokio::test]
async fn messages_retried_while_no_sidecar_runs_are_applied_when_one_does() {
    let (bench, _application, mended, config) = with_dead_messages("dlaway").await;
    let sidecar = bench.start(&config).await;
    wait_for_dead(&sidecar, 5).await;
    sidecar.stop().await;
    mended.store(true, Ordering::Relaxed);
    let (code, text) = sidecar.command(&["dead-letters", "retry", "--all"]).await;
    assert_eq!((code, text.as_str()), (0, "5 dead letters sent on their way again\n"));
    let _sidecar = bench.start(&config).await;
    assert_eq!(bench.wait_for_effects(10).await.len(), 10);
    wait::until("nothing is left to deliver again", PATIENCE, || async {
        let sql = "SELECT 1 FROM outbox_sidecar.redriven HAVING count(*) = 0";
        bench.client.query_opt(sql, &[]).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn dead_rows_go_to_their_topic_with_the_reason() {
    let bench = Bench::prepared("dltopicout").await;
    let topic = format!("{}-dead", bench.topic);
    let mut config = bench.impatient_config();
    config.outboxes[0].poison.dead_letter_topic = Some(topic.clone());
    let sidecar = bench.start(&config).await;
    let sql = r#"INSERT INTO outbox (aggregate_id, payload, headers) VALUES ('a', '{"number": 1}', '[]')"#;
    bench.client.execute(sql, &[]).await.unwrap();
    sidecar.wake().await;
    let mut listener = Listener::new(bench.kafka.bootstrap(), &topic);
    listener.wait_for(1).await;
    let message = &listener.received[0];
    assert_eq!((key(message).as_str(), number(message)), ("a", 1));
    assert_eq!(header(message, "dead-letter-source").as_deref(), Some("outbox/things/1"));
    assert_eq!(header(message, "dead-letter-attempts").as_deref(), Some("1"));
    let reason = header(message, "dead-letter-reason").unwrap();
    assert!(reason.contains("not a JSON object"), "{reason}");
    assert_eq!(list(&sidecar, "").await.len(), 1, "it is kept as well");
}

#[tokio::test]
async fn dead_messages_go_to_their_topic_with_the_reason() {
    let (bench, _application, _, mut config) = with_dead_messages("dltopicin").await;
    let topic = format!("{}-dead", bench.topic);
    stored(&mut config).deliver.dead_letter_topic = Some(topic.clone());
    let sidecar = bench.start(&config).await;
    let mut listener = Listener::new(bench.kafka.bootstrap(), &topic);
    listener.wait_for(5).await;
    for message in &listener.received {
        assert_eq!(number(message) % 2, 1);
        assert_eq!(header(message, "type").as_deref(), Some("thing.happened"));
        assert_eq!(header(message, "dead-letter-reason").as_deref(), Some("odd"));
        let id = header(message, "id").unwrap();
        assert_eq!(header(message, "dead-letter-source"), Some(format!("inbox/things/{id}")));
    }
    wait::until("none is left to send", PATIENCE, || async {
        let sql = "SELECT 1 FROM outbox_sidecar.forward HAVING count(*) = 0";
        bench.client.query_opt(sql, &[]).await.unwrap()
    })
    .await;
    assert_eq!(wait_for_dead(&sidecar, 5).await.len(), 5, "they are kept as well");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_changes_nothing() {
    let (bench, sidecar) = with_dead_rows("dlwrong", &["a"]).await;
    let cases = [
        ("/retry", json!({ "outbox": "things" }), StatusCode::BAD_REQUEST, "`actor` is missing"),
        ("/retry", json!({ "actor": "ada" }), StatusCode::BAD_REQUEST, "or say `all`"),
        ("/skip", json!({ "actor": "ada", "kye": "a" }), StatusCode::UNPROCESSABLE_ENTITY, "kye"),
        (
            "/skip",
            json!({ "actor": "ada", "outbox": "thing" }),
            StatusCode::NOT_FOUND,
            "there is: things",
        ),
    ];
    for (path, body, status, part) in cases {
        let (answered, answer) = call(&sidecar, Method::POST, path, Some(body)).await;
        let problem = answer["error"].as_str().unwrap();
        assert!(answered == status && problem.contains(part), "{answered} {problem}");
    }
    let (code, text) = sidecar.command(&["dead-letters", "retry"]).await;
    assert_eq!(code, 64, "{text}");
    let (code, text) = sidecar.command(&["dead-letters", "list", "--inbox", "nowhere"]).await;
    assert!(code == 64 && text.contains("there is no inbox `nowhere`"), "{code} {text}");
    let (code, text) = sidecar.command(&["dead-letters", "show", "outbox/things/9"]).await;
    assert!(code == 1 && text.contains("there is no dead letter outbox/things/9"), "{code} {text}");
    assert_eq!(list(&sidecar, "").await.len(), 1);
    assert!(audit(&bench).await.is_empty());
}

/// In a pod the admin port is open to the network.
#[tokio::test]
async fn dead_letters_are_for_loopback_only() {
    let bench = Bench::prepared("dlloopback").await;
    let mut config = bench.outbox_config();
    config.admin.listen.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
    let sidecar = bench.start(&config).await;
    let port = config.admin.listen.port();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let from = |host: String| client.get(format!("http://{host}:{port}/dead-letters")).send();
    // The tables that they are read from are made after the start.
    wait::until("loopback is answered", PATIENCE, || async {
        (from("127.0.0.1".into()).await.unwrap().status() == StatusCode::OK).then_some(())
    })
    .await;
    // Any other address of this machine; a route needs not lead anywhere.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    probe.connect("192.0.2.1:9").unwrap();
    let outside = probe.local_addr().unwrap().ip().to_string();
    assert_eq!(from(outside.clone()).await.unwrap().status(), StatusCode::FORBIDDEN);
    let metrics = client.get(format!("http://{outside}:{port}/metrics")).send().await.unwrap();
    assert_eq!(metrics.status(), StatusCode::OK, "the rest is for everybody");
    // A page of another site, whose name is made to lead here.
    let rebound = client
        .get(format!("{}/dead-letters", sidecar.admin.replace("0.0.0.0", "127.0.0.1")))
        .header("host", "evil.example.com")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_token_opens_dead_letters_to_others_too() {
    let bench = Bench::prepared("dltoken").await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "a-token-of-this-test\n").unwrap();
    let mut config = bench.outbox_config();
    config.admin.token = Some(SecretRef::File(file));
    let sidecar = bench.start(&config).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    // Loopback under a foreign name is as good as from elsewhere.
    let list = |token: Option<&'static str>| {
        let request = client
            .get(format!("{}/dead-letters?side=inbox", sidecar.admin))
            .header("host", "orders.example.com");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send()
    };
    for wrong in [None, Some("another-token-of-this-test"), Some("")] {
        let refused = list(wrong).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{wrong:?}");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
    }
    wait::until("the token opens them", PATIENCE, || async {
        let answer = list(Some("a-token-of-this-test")).await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}
