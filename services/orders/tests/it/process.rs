//! The service as a process: its settings, its admin listener, and how it stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use reqwest::StatusCode;
use test_support::postgres::TestDatabase;
use test_support::process::{Process, Spec};
use test_support::{fixtures, ports, wait};
use tokio::sync::Semaphore;

const PATIENCE: Duration = Duration::from_secs(30);
const ORDER: &str = r#"{"user_id":1,"amount":10}"#;

struct Running {
    process: Process,
    api: String,
    admin: String,
    database: TestDatabase,
}

fn spec(args: &[String]) -> Spec {
    Spec::new("orders", env!("CARGO_BIN_EXE_orders")).args(args)
}

async fn start(name: &str, more: &[String]) -> Running {
    let database = fixtures::postgres().await.database(name).await.unwrap();
    let [api, admin, inbox] = [(); 3].map(|()| format!("127.0.0.1:{}", ports::free().unwrap()));
    let mut args = vec![
        format!("--listen={api}"),
        format!("--admin-listen={admin}"),
        format!("--inbox-listen={inbox}"),
        format!("--database-url={}", database.url()),
    ];
    args.extend_from_slice(more);
    let process = Process::spawn(spec(&args)).unwrap();
    let (api, admin) = (format!("http://{api}"), format!("http://{admin}"));
    process.wait_ready(&format!("{admin}/readyz"), PATIENCE).await.unwrap();
    Running { process, api, admin, database }
}

async fn text(url: String) -> (StatusCode, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status(), response.text().await.unwrap())
}

#[tokio::test]
async fn bad_settings_are_explained_and_end_with_64() {
    let url = "--database-url=postgres://127.0.0.1:1/orders";
    for (args, explained) in [
        (vec![], "DATABASE_URL"),
        (vec!["--database-url=mysql://127.0.0.1/orders"], "postgres://"),
        (vec![url, "--database-url-file=/nonexistent"], "both"),
        (vec!["--database-url-file=/nonexistent"], "/nonexistent"),
        (vec![url, "--database-ca-file=/nonexistent"], "/nonexistent"),
        (vec![url, "--database-max-connections=0"], "--database-max-connections"),
        (vec![url, "--request-timeout=soon"], "--request-timeout"),
        (vec![url, "--sidecar-url=ftp://a"], "--sidecar-url"),
        (vec![url, "--listen=nowhere"], "--listen"),
        (vec![url, "--log=orders=loud"], "log filter"),
        (vec![url, "--colour=red"], "--colour"),
    ] {
        let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        let process = Process::spawn(spec(&args)).unwrap();
        let status = tokio::time::timeout(PATIENCE, process.wait()).await.unwrap();
        assert_eq!(status.code(), Some(64), "{args:?}: {}", process.tail(100));
        assert!(process.tail(100).contains(explained), "{args:?}: {}", process.tail(100));
    }
}

#[tokio::test]
async fn the_process_can_be_watched_while_it_waits_for_the_database() {
    let admin = format!("127.0.0.1:{}", ports::free().unwrap());
    let nobody = ports::free().unwrap();
    let process = Process::spawn(spec(&[
        format!("--admin-listen={admin}"),
        format!("--database-url=postgres://orders:hunter2@127.0.0.1:{nobody}/orders"),
    ]))
    .unwrap();
    process.wait_ready(&format!("http://{admin}/healthz"), PATIENCE).await.unwrap();
    let ready = text(format!("http://{admin}/readyz")).await;
    assert_eq!(ready, (StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned()));
    wait::until("the log says what is waited for", PATIENCE, || async {
        process.tail(100).contains("waiting for the database").then_some(())
    })
    .await;
    assert!(process.tail(100).contains(&format!("127.0.0.1:{nobody}/orders")));
    assert!(!process.tail(100).contains("hunter2"));
    assert_eq!(process.stop(PATIENCE).await.code(), Some(0), "{}", process.tail(100));
}

#[tokio::test]
async fn metrics_count_requests_by_route() {
    let running = start("orders_metrics", &[]).await;
    for id in ["1", "2"] {
        text(format!("{}/orders/{id}", running.api)).await;
    }
    text(format!("{}/no/such/path", running.api)).await;
    let (status, metrics) = text(format!("{}/metrics", running.admin)).await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        r#"http_requests_total{listener="api",method="GET",route="/orders/{id}",status="400"} 2"#,
        r#"http_requests_total{listener="api",method="GET",route="unmatched",status="404"} 1"#,
        r#"http_request_duration_seconds_count{listener="api",method="GET",route="/orders/{id}"} 2"#,
        r#"database_pool_connections_limit 25"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn readiness_follows_the_database() {
    let running = start("orders_ready", &[]).await;
    let admin = running.database.connect_admin().await.unwrap();
    let name = running.database.name();
    admin.batch_execute(&format!("ALTER ROLE \"{name}\" NOLOGIN")).await.unwrap();
    let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1";
    admin.query(terminate, &[&name]).await.unwrap();
    let ready = || async { text(format!("{}/readyz", running.admin)).await.0 };
    wait::until("readiness is lost", PATIENCE, || async {
        (ready().await == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let client = reqwest::Client::new();
    let refused = client.post(format!("{}/orders", running.api)).body(ORDER).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "1");

    admin.batch_execute(&format!("ALTER ROLE \"{name}\" LOGIN")).await.unwrap();
    wait::until("readiness is back", PATIENCE, || async {
        (ready().await == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_in_flight_are_finished_before_the_process_ends() {
    let running = start("orders_graceful", &[]).await;
    let mut sql = running.database.connect().await.unwrap();
    let lock = sql.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").await.unwrap();

    let request = reqwest::Client::new().post(format!("{}/orders", running.api)).body(ORDER).send();
    let request = tokio::spawn(request);
    let watcher = running.database.connect().await.unwrap();
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND datname = current_database()";
    wait::until("the request waits for the lock", PATIENCE, || async {
        watcher.query_opt(waiting, &[]).await.unwrap().map(drop)
    })
    .await;

    let stop = running.process.stop(PATIENCE);
    let release = async {
        wait::until("no connection is accepted any more", PATIENCE, || async {
            reqwest::get(format!("{}/health", running.api)).await.err().map(drop)
        })
        .await;
        assert!(running.process.is_running());
        lock.commit().await.unwrap();
    };
    let (status, ()) = tokio::join!(stop, release);
    assert_eq!(request.await.unwrap().unwrap().status(), StatusCode::CREATED);
    assert_eq!(status.code(), Some(0), "{}", running.process.tail(100));
}

#[tokio::test]
async fn requests_that_take_too_long_are_answered_503_and_undone() {
    let running = start("orders_timeout", &["--request-timeout=1s".to_owned()]).await;
    let mut sql = running.database.connect().await.unwrap();
    let lock = sql.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let client = reqwest::Client::new();
    let late = client.post(format!("{}/orders", running.api)).body(ORDER).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    lock.commit().await.unwrap();
    let again = client.post(format!("{}/orders", running.api)).body(ORDER).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::CREATED);
    let count = sql.query_one("SELECT count(*) FROM orders", &[]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 1);
}

#[tokio::test]
async fn the_sidecar_is_woken_after_a_commit_and_never_waited_for() {
    let woken = Arc::new(Semaphore::new(0));
    let sidecar = {
        let woken = Arc::clone(&woken);
        // Never answers, so that a request that waited for it would not end.
        Router::new().route(
            "/wake",
            post(|| async move {
                woken.add_permits(1);
                std::future::pending::<()>().await;
            }),
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("--sidecar-url=http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, sidecar).await });

    let running = start("orders_wake", &[url]).await;
    let client = reqwest::Client::new();
    let bad = client.post(format!("{}/orders", running.api)).body("{}").send().await.unwrap();
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
    assert_eq!(woken.available_permits(), 0);
    for _ in 0..20 {
        let request = client.post(format!("{}/orders", running.api)).body(ORDER).send();
        assert_eq!(request.await.unwrap().status(), StatusCode::CREATED);
    }
    tokio::time::timeout(PATIENCE, woken.acquire()).await.unwrap().unwrap().forget();
}
