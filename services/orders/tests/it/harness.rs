//! One service on ports of its own, over a database of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use kit::server::Listener;
use kit::service::App;
use kit::settings::{DatabaseSettings, HttpSettings};
use kit::{Database, Metrics, Wake};
use orders::SERVICE;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use test_support::answer::Answer;
use test_support::fixtures;
use test_support::postgres::TestDatabase;
use tokio_postgres::types::ToSql;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub(crate) const MAX_BODY: usize = 16 * 1024;
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Service {
    pub(crate) database: Database,
    api: String,
    inbox: String,
    http: reqwest::Client,
    /// What the test looks at the database with.
    sql: tokio_postgres::Client,
    _stop: DropGuard,
    _test_database: TestDatabase,
}

impl Service {
    pub(crate) async fn start(name: &str) -> Self {
        let test_database = fixtures::postgres().await.database(name).await.unwrap();
        let database = Database::new(&DatabaseSettings::for_url(test_database.url())).unwrap();
        database.wait().await.unwrap();
        database.migrate(&(SERVICE.migrations)()).await.unwrap();
        let app = App {
            database: database.clone(),
            wake: Wake::disabled(),
            metrics: Metrics::new().unwrap(),
            limits: HttpSettings {
                request_timeout: Duration::from_secs(20),
                shutdown_grace: Duration::from_secs(1),
                max_body_bytes: MAX_BODY,
            },
        };
        let stop = CancellationToken::new();
        let api = serve("api", SERVICE.api(&app), &stop).await;
        let inbox = serve("inbox", SERVICE.inbox(&app), &stop).await;
        Self {
            database,
            api,
            inbox,
            http: reqwest::Client::new(),
            sql: test_database.connect().await.unwrap(),
            _stop: stop.drop_guard(),
            _test_database: test_database,
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.api))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// Sends a body as it is.
    pub(crate) async fn post_text(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        Answer::of(request.body(body.into())).await
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, path).header("idempotency-key", key);
        Answer::of(request.json(body)).await
    }

    /// Takes an order that must be good; returns its id.
    pub(crate) async fn order(&self, user_id: i64, amount: i64) -> Uuid {
        let body = json!({"user_id": user_id, "amount": amount, "description": "Summer sale item"});
        let answer = self.post_text("/orders", body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Stores messages in the inbox as the sidecar would, and delivers them in one batch; the
    /// results in the order of the events; an event may have none.
    pub(crate) async fn receive(&self, events: &[Event]) -> Vec<Value> {
        for event in events {
            self.execute(
                "INSERT INTO inbox (message_id, topic, partition, kafka_offset) VALUES ($1, 't', 0, 0) \
                 ON CONFLICT DO NOTHING",
                &[&event.id],
            )
            .await;
        }
        let batch: Vec<Value> = events.iter().map(Event::cloud_event).collect();
        let answer = self.deliver(&Value::from(batch).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let answer = answer.json();
        let results = answer["results"].as_array().unwrap();
        events
            .iter()
            .filter_map(|event| {
                let id = event.id.to_string();
                results.iter().find(|result| result["id"] == id.as_str()).cloned()
            })
            .collect()
    }

    pub(crate) async fn deliver(&self, batch: &str) -> Answer {
        let request = self
            .http
            .post(format!("{}/inbox", self.inbox))
            .header("content-type", "application/cloudevents-batch+json")
            .body(batch.to_owned());
        Answer::of(request).await
    }

    pub(crate) async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> u64 {
        self.sql.execute(sql, params).await.unwrap()
    }

    pub(crate) async fn rows(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Vec<tokio_postgres::Row> {
        self.sql.query(sql, params).await.unwrap()
    }

    pub(crate) async fn count(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> i64 {
        self.sql.query_one(sql, params).await.unwrap().get(0)
    }
}

async fn serve(name: &'static str, router: axum::Router, stop: &CancellationToken) -> String {
    let listener = Listener::bind(name, ANY_PORT, router).await.unwrap();
    let url = format!("http://{}", listener.address());
    tokio::spawn(listener.serve(stop.clone(), Duration::from_secs(1)));
    url
}

/// A message as the sidecar delivers it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) data: Value,
}

impl Event {
    fn cloud_event(&self) -> Value {
        json!({
            "specversion": "1.0", "id": self.id, "source": "/kafka/t", "type": self.kind,
            "subject": self.key, "time": "2026-11-22T12:36:33Z", "datacontenttype": "application/json",
            "traceparent": TRACEPARENT,
            "kafkatopic": "t", "kafkapartition": "0", "kafkaoffset": "12",
            "kafkatimestamp": "2026-11-22T12:36:32.5Z", "data": self.data,
        })
    }
}

pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
