//! Messages that bring the application down.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::ConnectInfo, http::StatusCode, routing::post};
use outbox_sidecar_core::config::Config;
use serde_json::{Value, json};
use test_support::{
    ports,
    process::{Process, Spec},
    wait,
};
use tokio::net::TcpListener;
use tokio_postgres::NoTls;

use crate::harness::{Application, Bench, PATIENCE, stored};

/// The message that brings it down.
fn is_culprit(event: &Value) -> bool {
    event["data"]["number"] == 7
}

fn dies_of_the_culprit(event: &Value) -> (&'static str, String) {
    (if is_culprit(event) { "die" } else { "applied" }, String::new())
}

fn with_trials(mut config: Config, maximum_crashes: u32) -> Config {
    let deliver = &mut stored(&mut config).deliver;
    deliver.maximum_crashes = maximum_crashes;
    deliver.requests.initial_backoff = "10ms".parse().unwrap();
    deliver.requests.maximum_backoff = "200ms".parse().unwrap();
    config
}

/// Why messages died, by key.
async fn dead(bench: &Bench) -> Vec<(String, String)> {
    let sql = "SELECT convert_from(key, 'UTF8'), last_error FROM inbox WHERE dead_at IS NOT NULL";
    let rows = bench.client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn wait_for_dead(bench: &Bench) -> (String, String) {
    wait::until("a message is dead", PATIENCE, || async { dead(bench).await.pop() }).await
}

async fn suspects(bench: &Bench) -> i64 {
    let sql = "SELECT coalesce(sum(starts), 0)::bigint FROM outbox_sidecar.suspect";
    bench.client.query_one(sql, &[]).await.unwrap().get(0)
}

/// An application that is a process of its own, and ends at the culprit.
#[tokio::test]
#[ignore = "not a test: another test starts it as a process"]
async fn application_process() {
    let (Ok(url), Ok(port)) =
        (std::env::var("APPLICATION_DATABASE"), std::env::var("APPLICATION_PORT"))
    else {
        return;
    };
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let _serving = Application::serving(client, port.parse().unwrap(), |event| {
        if is_culprit(event) {
            std::process::exit(70);
        }
        ("applied", String::new())
    })
    .await;
    std::future::pending::<()>().await;
}

/// Starts it again whenever it has ended, as Kubernetes does.
struct Supervised {
    restarting: tokio::task::JoinHandle<()>,
}

impl Supervised {
    fn start(bench: &Bench, port: u16) -> Self {
        let program = std::env::current_exe().unwrap();
        let spec = Spec::new("application", program)
            .arg("--exact")
            .arg("crashes::application_process")
            .arg("--ignored")
            .env("APPLICATION_DATABASE", bench.database.url())
            .env("APPLICATION_PORT", port.to_string());
        let process = Arc::new(Process::spawn(spec).unwrap());
        let restarting = tokio::spawn(async move {
            loop {
                process.wait().await;
                process.start().unwrap();
            }
        });
        Self { restarting }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.restarting.abort();
    }
}

#[tokio::test]
async fn a_message_that_ends_the_application_is_a_dead_letter_and_the_others_are_applied() {
    let bench = Bench::prepared("crashes").await;
    bench.make_topic(2).await;
    let port = ports::free().unwrap();
    let mut config = {
        // Only for its configuration; the process takes its place.
        let application = Application::listening(&bench, port, dies_of_the_culprit).await;
        with_trials(bench.inbox_config(&application), 2)
    };
    config.inboxes[0].requests_mut().maximum_backoff = "1s".parse().unwrap();
    let _application = Supervised::start(&bench, port);
    for number in 0..40 {
        bench.send(&format!("k{}", number % 20), number).await;
    }
    let sidecar = bench.start(&config).await;
    let (key, reason) = wait_for_dead(&bench).await;
    assert_eq!(key, "k7");
    assert!(reason.contains("broke off 2 times while it had only this message"), "{reason}");
    let effects = bench.wait_for_effects(39).await;
    assert!(effects.contains(&("k7".to_owned(), 27)), "what stood behind it: {effects:?}");
    assert_eq!(dead(&bench).await.len(), 1, "no other is blamed");
    assert_eq!(sidecar.metric("outbox_sidecar_inbox_crashes_total", &[]).await, 2.0);
    wait::until("it is forgotten among the suspects", PATIENCE, || async {
        (suspects(&bench).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_application_that_breaks_off_at_everything_kills_no_message() {
    let bench = Bench::prepared("allcrash").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, |_| ("die", String::new())).await;
    let config = with_trials(bench.inbox_config(&application), 1);
    for number in 0..5 {
        bench.send(&format!("k{number}"), number).await;
    }
    let sidecar = bench.start(&config).await;
    wait::until("every message went alone several times", PATIENCE, || async {
        let label = [("outcome", "retry")];
        let tries = sidecar.metric("outbox_sidecar_inbox_delivered_total", &label).await;
        (tries >= 100.0).then_some(())
    })
    .await;
    assert!(dead(&bench).await.is_empty());
    assert!(suspects(&bench).await <= 1, "nothing counts but what is under way");
}

#[tokio::test]
async fn starts_are_counted_beyond_the_end_of_the_sidecar() {
    let bench = Bench::prepared("crashkept").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, dies_of_the_culprit).await;
    let mut config = with_trials(bench.inbox_config(&application), 1_000);
    let sidecar = bench.start(&config).await;
    bench.send("a", 7).await;
    wait::until("it was alone three times", PATIENCE, || async {
        (suspects(&bench).await >= 3).then_some(())
    })
    .await;
    sidecar.process.kill().await;
    let before = u32::try_from(suspects(&bench).await).unwrap();
    config = with_trials(config, before + 1);
    application.events.lock().unwrap().clear();
    let _sidecar = bench.start(&config).await;
    let (_, reason) = wait_for_dead(&bench).await;
    assert!(reason.contains(&format!("broke off {} times", before + 1)), "{reason}");
    assert_eq!(application.events.lock().unwrap().len(), 1, "it is on trial from the first");
}

#[tokio::test]
async fn a_message_at_which_the_application_hangs_dies_when_others_are_answered() {
    let bench = Bench::prepared("hangs").await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, |event| {
        (if is_culprit(event) { "hang" } else { "applied" }, String::new())
    })
    .await;
    let mut config = with_trials(bench.inbox_config(&application), 2);
    config.inboxes[0].requests_mut().timeout = "500ms".parse().unwrap();
    let _sidecar = bench.start(&config).await;
    bench.send("a", 7).await;
    let mut number = 100;
    let end = tokio::time::Instant::now() + PATIENCE;
    let (key, reason) = loop {
        if let Some(dead) = dead(&bench).await.pop() {
            break dead;
        }
        assert!(tokio::time::Instant::now() < end, "the message is not given up");
        number += 1;
        bench.send("b", number).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(key, "a");
    assert!(reason.contains("broke off 2 times"), "{reason}");
}

/// What a kept connection loses says nothing of the message.
#[tokio::test]
async fn a_message_on_trial_has_a_connection_of_its_own() {
    let bench = Bench::prepared("owncon").await;
    bench.make_topic(1).await;
    let mut config = {
        // Only for its configuration.
        let application = Application::answering(&bench, dies_of_the_culprit).await;
        with_trials(bench.inbox_config(&application), 2)
    };
    config.inboxes[0].requests_mut().batch = 1;
    let peers = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&peers);
    // It fails at each message once, so that each comes under suspicion and goes on trial.
    let known = Arc::new(Mutex::new(HashSet::new()));
    let answer = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>, body: String| {
        let events: Vec<Value> = serde_json::from_str(&body).unwrap();
        let id = events[0]["id"].as_str().unwrap().to_owned();
        if known.lock().unwrap().insert(id.clone()) {
            return (StatusCode::INTERNAL_SERVER_ERROR, Json(Value::Null));
        }
        seen.lock().unwrap().push(peer);
        (StatusCode::OK, Json(json!({ "results": [{ "id": id, "status": "applied" }] })))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    config.inboxes[0].requests_mut().url =
        format!("http://{}/inbox", listener.local_addr().unwrap());
    let router = Router::new().route("/inbox", post(answer));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    for number in 0..6 {
        bench.send(&format!("k{number}"), number).await;
    }
    let _sidecar = bench.start(&config).await;
    let peers = wait::until("each message has been on trial", PATIENCE, || async {
        let peers = peers.lock().unwrap();
        (peers.len() == 6).then(|| peers.clone())
    })
    .await;
    serving.abort();
    assert_eq!(peers.iter().collect::<HashSet<_>>().len(), 6, "{peers:?}");
}
