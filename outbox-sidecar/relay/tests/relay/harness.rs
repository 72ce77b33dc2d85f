//! One database, one topic and one application for each test.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router, extract::State, http::StatusCode, response::IntoResponse as _, routing::post,
};
use outbox_sidecar_core::config::{Config, Inbox, StoredInbox};
use rdkafka::{
    ClientConfig, Message as _,
    consumer::{Consumer as _, StreamConsumer},
    message::{Headers as _, OwnedMessage},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{
    fixtures,
    kafka::Server,
    ports,
    postgres::TestDatabase,
    process::{Process, Spec},
    wait,
};
use tokio_postgres::Client;
use uuid::Uuid;

/// Generous: a busy machine is no failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const TABLES: &str = "
CREATE TABLE outbox (
    position       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    bucket         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 2147483647) % 8) STORED,
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregate_type text NOT NULL DEFAULT 'thing',
    aggregate_id   text NOT NULL,
    type           text NOT NULL DEFAULT 'thing.happened',
    payload        jsonb,
    headers        jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON outbox (bucket, xid);
CREATE INDEX ON outbox (bucket, position);
CREATE TABLE inbox (
    message_id   uuid PRIMARY KEY,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    key          bytea,
    type         text,
    payload      bytea,
    headers      jsonb NOT NULL DEFAULT '{}',
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    processed_at timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,
    dead_at      timestamptz
);
CREATE INDEX ON inbox (topic, partition, kafka_offset) WHERE processed_at IS NULL AND dead_at IS NULL;
CREATE INDEX ON inbox (topic, partition, kafka_offset) WHERE dead_at IS NOT NULL AND processed_at IS NULL;
CREATE TABLE effect (number bigint GENERATED ALWAYS AS IDENTITY, message_id uuid NOT NULL, key text, data jsonb);
";

/// A database with an outbox and an inbox, and a topic.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) client: Client,
    pub(crate) kafka: &'static Server,
    pub(crate) topic: String,
    pub(crate) files: TempDir,
}

impl Bench {
    pub(crate) async fn new(label: &str) -> Self {
        Self::on(fixtures::postgres().await, label).await
    }

    /// With the sidecar's own tables, so that they can be looked at from the start.
    pub(crate) async fn prepared(label: &str) -> Self {
        let bench = Self::new(label).await;
        outbox_sidecar::database::prepare(&pool(&bench)).await.unwrap();
        bench
    }

    /// On a PostgreSQL server of the test's own.
    pub(crate) async fn on(postgres: &test_support::postgres::Server, label: &str) -> Self {
        let kafka = fixtures::kafka().await;
        let database = postgres.database(label).await.unwrap();
        let client = database.connect().await.unwrap();
        client.batch_execute(TABLES).await.unwrap();
        Self {
            database,
            client,
            kafka,
            topic: Server::unique(label),
            files: TempDir::new().unwrap(),
        }
    }

    /// A configuration that publishes the outbox to this test's topic.
    pub(crate) fn outbox_config(&self) -> Config {
        self.config(
            json!({ "outboxes": [{ "name": "things", "table": "outbox", "topic": self.topic }] }),
        )
    }

    /// The same, with little patience for rows that are refused.
    pub(crate) fn impatient_config(&self) -> Config {
        let mut config = self.outbox_config();
        config.outboxes[0].poison = outbox_sidecar_core::config::Poison {
            maximum_attempts: 3,
            initial_backoff: "10ms".parse().unwrap(),
            maximum_backoff: "100ms".parse().unwrap(),
            dead_letter_topic: None,
        };
        config
    }

    /// A configuration that consumes this test's topic and delivers to an application.
    pub(crate) fn inbox_config(&self, application: &Application) -> Config {
        self.config(json!({ "inboxes": [{
            "name": "things", "table": "inbox", "topics": [self.topic], "consumerGroup": self.topic,
            "deliver": { "url": application.url, "maximumBackoff": "500ms" },
        }] }))
    }

    pub(crate) fn config(&self, parts: Value) -> Config {
        let mut config = json!({
            "database": { "url": { "env": "DATABASE_URL" } },
            "kafka": { "bootstrapServers": [self.kafka.bootstrap()] },
            "admin": { "listen": format!("127.0.0.1:{}", ports::free().unwrap()) },
            "topics": { "partitions": 3 },
        });
        config.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
        Config::parse(&config.to_string()).unwrap()
    }

    pub(crate) async fn start(&self, config: &Config) -> Sidecar {
        Sidecar::start(config, self.database.url(), &self.files).await
    }

    /// One more sidecar with the same configuration, but for its admin port.
    pub(crate) async fn start_another(&self, config: &Config) -> Sidecar {
        let mut config = config.clone();
        config.admin.listen.set_port(ports::free().unwrap());
        self.start(&config).await
    }

    /// Adds a row in a transaction of its own.
    pub(crate) async fn add(&self, key: &str, number: i32) {
        insert(&self.client, key, number).await;
    }

    /// A consumer that sees the topic from its first message.
    pub(crate) fn listen(&self) -> Listener {
        Listener::new(self.kafka.bootstrap(), &self.topic)
    }

    /// Sends a message as another service would.
    pub(crate) async fn send(&self, key: &str, number: i64) -> Uuid {
        let id = Uuid::new_v4();
        self.send_raw(
            Some(key),
            Some(json!({ "number": number }).to_string().as_bytes()),
            Some(id),
        )
        .await;
        id
    }

    pub(crate) async fn send_raw(
        &self,
        key: Option<&str>,
        payload: Option<&[u8]>,
        id: Option<Uuid>,
    ) {
        let producer: FutureProducer = self.kafka.client_config().create().unwrap();
        let mut headers = rdkafka::message::OwnedHeaders::new()
            .insert(rdkafka::message::Header { key: "type", value: Some("thing.happened") });
        let id = id.map(|id| id.to_string());
        if let Some(id) = &id {
            headers = headers.insert(rdkafka::message::Header { key: "id", value: Some(id) });
        }
        let mut record: FutureRecord<'_, str, [u8]> =
            FutureRecord::to(&self.topic).headers(headers);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(payload) = payload {
            record = record.payload(payload);
        }
        producer.send(record, PATIENCE).await.unwrap();
    }

    pub(crate) async fn make_topic(&self, partitions: i32) {
        self.kafka.create_topic(&self.topic, partitions).await.unwrap();
    }

    /// The messages applied, in the order of their application: key and number.
    pub(crate) async fn effects(&self) -> Vec<(String, i64)> {
        let rows = self
            .client
            .query("SELECT key, (data->>'number')::bigint FROM effect ORDER BY number", &[])
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.get::<_, Option<String>>(0).unwrap_or_default(),
                    row.get::<_, Option<i64>>(1).unwrap_or(-1),
                )
            })
            .collect()
    }

    pub(crate) async fn wait_for_effects(&self, count: usize) -> Vec<(String, i64)> {
        wait::until(&format!("{count} messages are applied"), PATIENCE, || async {
            Some(self.effects().await).filter(|effects| effects.len() >= count)
        })
        .await
    }
}

/// The inbox of a configuration that has one, with a table.
pub(crate) fn stored(config: &mut Config) -> &mut StoredInbox {
    match &mut config.inboxes[0] {
        Inbox::Stored(inbox) => inbox,
        Inbox::Broadcast(_) => panic!("the inbox has no table"),
    }
}

/// The sidecar's own pool, for tests of a part of it.
pub(crate) fn pool(bench: &Bench) -> deadpool_postgres::Pool {
    let file = bench.files.path().join("url");
    std::fs::write(&file, bench.database.url()).unwrap();
    let url = outbox_sidecar_core::config::SecretRef::File(file);
    outbox_sidecar::database::pool(&outbox_sidecar_core::config::Database {
        url,
        ca: None,
        listen: false,
    })
    .unwrap()
}

pub(crate) async fn insert(client: &impl tokio_postgres::GenericClient, key: &str, number: i32) {
    client
        .execute(
            "INSERT INTO outbox (aggregate_id, payload) VALUES ($1, jsonb_build_object('number', $2::int4))",
            &[&key, &number],
        )
        .await
        .unwrap();
}

/// A running sidecar.
pub(crate) struct Sidecar {
    pub(crate) process: Process,
    /// The configuration.
    pub(crate) file: PathBuf,
    pub(crate) admin: String,
    database_url: String,
}

impl Sidecar {
    pub(crate) async fn start(config: &Config, database_url: &str, files: &TempDir) -> Self {
        let file = files.path().join(format!("{}.yaml", Uuid::new_v4()));
        std::fs::write(&file, config.to_json().unwrap()).unwrap();
        Self::start_file(file, config, database_url).await
    }

    /// With a file that is there already.
    pub(crate) async fn start_file(file: PathBuf, config: &Config, database_url: &str) -> Self {
        let spec = Spec::new("sidecar", env!("CARGO_BIN_EXE_outbox-sidecar"))
            .arg("run")
            .arg("--config")
            .arg(&file)
            .env("DATABASE_URL", database_url);
        let process = Process::spawn(spec).unwrap();
        let admin = format!("http://{}", config.admin.listen);
        process.wait_ready(&format!("{admin}/readyz"), PATIENCE).await.unwrap();
        Self { process, file, admin, database_url: database_url.to_owned() }
    }

    /// Runs another command of the program with the same configuration, and returns
    /// its exit code and what it says.
    pub(crate) async fn command(&self, arguments: &[&str]) -> (i32, String) {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"))
            .args(arguments)
            .env("OUTBOX_SIDECAR_CONFIG", &self.file)
            .env("DATABASE_URL", &self.database_url)
            .env("USER", "tester")
            .output()
            .await
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    }

    pub(crate) async fn wake(&self) {
        reqwest::Client::new()
            .post(format!("{}/wake", self.admin))
            .send()
            .await
            .unwrap()
            .error_for_status()
            .unwrap();
    }

    /// Replaces the configuration and waits until the sidecar runs with it.
    pub(crate) async fn reconfigure(&self, config: &Config) {
        std::fs::write(&self.file, config.to_json().unwrap()).unwrap();
        self.runs_with(config).await;
    }

    /// Waits until the sidecar runs with this configuration.
    pub(crate) async fn runs_with(&self, config: &Config) {
        wait::until("the configuration is taken", PATIENCE, || async {
            (self.status().await["config"] == config.fingerprint()).then_some(())
        })
        .await;
    }

    /// Waits until the sidecar refuses what the file holds, and returns why.
    pub(crate) async fn refusal(&self) -> String {
        wait::until("the configuration is refused", PATIENCE, || async {
            Some(self.status().await["reloadProblem"].as_str()?.to_owned())
        })
        .await
    }

    pub(crate) async fn status(&self) -> Value {
        reqwest::get(format!("{}/status", self.admin)).await.unwrap().json().await.unwrap()
    }

    /// All metrics, as text.
    pub(crate) async fn metrics(&self) -> String {
        reqwest::get(format!("{}/metrics", self.admin)).await.unwrap().text().await.unwrap()
    }

    /// A metric's value, summed over the labels that are not given.
    pub(crate) async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = self.metrics().await;
        text.lines()
            .filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
            .filter(|line| {
                labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
            })
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// Waits until it holds so many buckets.
    pub(crate) async fn holds(&self, buckets: u64) {
        wait::until(&format!("{buckets} buckets are held"), PATIENCE, || async {
            (self.status().await["outboxes"]["things"]["leasedBuckets"] == buckets).then_some(())
        })
        .await;
    }

    /// Waits until `/status` names something that is waited for, and returns it.
    pub(crate) async fn waiting_for(&self, part: &str) -> String {
        wait::until("the sidecar says what it waits for", PATIENCE, || async {
            Some(self.status().await[part]["things"]["waitingFor"].as_str()?.to_owned())
        })
        .await
    }

    pub(crate) async fn stop(&self) {
        let status = self.process.stop(PATIENCE).await;
        assert!(status.success(), "the sidecar stops with {status}: {}", self.process.tail(40));
    }
}

/// Reads a topic from its start.
pub(crate) struct Listener {
    consumer: StreamConsumer,
    pub(crate) received: Vec<OwnedMessage>,
}

impl Listener {
    pub(crate) fn new(bootstrap: &str, topic: &str) -> Self {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", Server::unique("listener"))
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .set("topic.metadata.refresh.interval.ms", "500")
            .set("reconnect.backoff.max.ms", "500")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        Self { consumer, received: Vec::new() }
    }

    /// Waits until so many different rows (by their `id` header) have come.
    pub(crate) async fn wait_for(&mut self, count: usize) {
        let mut ids: HashSet<String> =
            self.received.iter().filter_map(|message| header(message, "id")).collect();
        let end = tokio::time::Instant::now() + PATIENCE;
        while ids.len() < count {
            let received = ids.len();
            let message = tokio::time::timeout_at(end, self.consumer.recv())
                .await
                .unwrap_or_else(|_| panic!("received {received} rows, not {count}"));
            // The topic may not be there yet, the broker away.
            let Ok(message) = message else { continue };
            let message = message.detach();
            ids.extend(header(&message, "id"));
            self.received.push(message);
        }
    }

    /// Waits until so many records that are `wanted` have come.
    pub(crate) async fn wait_for_records(
        &mut self,
        count: usize,
        wanted: impl Fn(&OwnedMessage) -> bool,
    ) {
        let mut received = self.received.iter().filter(|message| wanted(message)).count();
        let end = tokio::time::Instant::now() + PATIENCE;
        while received < count {
            let message = tokio::time::timeout_at(end, self.consumer.recv())
                .await
                .unwrap_or_else(|_| panic!("received {received} records, not {count}"));
            // The topic may not be there yet, the broker away.
            let Ok(message) = message else { continue };
            let message = message.detach();
            received += usize::from(wanted(&message));
            self.received.push(message);
        }
    }

    /// By key, the numbers in the order in which each was first received.
    pub(crate) fn first_by_key(&self) -> HashMap<String, Vec<i64>> {
        let mut seen = HashSet::new();
        let mut by_key: HashMap<String, Vec<i64>> = HashMap::new();
        for message in &self.received {
            if seen.insert(header(message, "id")) {
                by_key.entry(key(message)).or_default().push(number(message));
            }
        }
        by_key
    }
}

pub(crate) fn key(message: &OwnedMessage) -> String {
    String::from_utf8(message.key().unwrap().to_vec()).unwrap()
}

pub(crate) fn number(message: &OwnedMessage) -> i64 {
    let payload: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
    payload["number"].as_i64().unwrap()
}

pub(crate) fn header(message: &OwnedMessage, name: &str) -> Option<String> {
    let header = message.headers()?.iter().find(|header| header.key == name)?;
    Some(String::from_utf8(header.value?.to_vec()).unwrap())
}

/// How the application answers for an event: its status and a reason.
type Answer = dyn Fn(&Value) -> (&'static str, String) + Send + Sync;

/// A service with an inbox endpoint that applies events exactly as the contract says.
pub(crate) struct Application {
    pub(crate) url: String,
    pub(crate) events: Arc<Mutex<Vec<Value>>>,
    serving: tokio::task::AbortHandle,
}

#[derive(Clone)]
struct Service {
    database: Arc<tokio::sync::Mutex<Client>>,
    events: Arc<Mutex<Vec<Value>>>,
    answer: Arc<Answer>,
}

impl Application {
    /// Applies everything.
    pub(crate) async fn start(bench: &Bench) -> Self {
        Self::answering(bench, |_| ("applied", String::new())).await
    }

    /// Applies events for which `answer` says `applied`, and answers otherwise as it says;
    /// `crash` (500), `hang`, `large` (413) and `die` (the connection breaks) fail the whole request.
    pub(crate) async fn answering(
        bench: &Bench,
        answer: impl Fn(&Value) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        Self::listening(bench, ports::free().unwrap(), answer).await
    }

    pub(crate) async fn listening(
        bench: &Bench,
        port: u16,
        answer: impl Fn(&Value) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        Self::serving(bench.database.connect().await.unwrap(), port, answer).await
    }

    pub(crate) async fn serving(
        database: Client,
        port: u16,
        answer: impl Fn(&Value) -> (&'static str, String) + Send + Sync + 'static,
    ) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let service = Service {
            database: Arc::new(tokio::sync::Mutex::new(database)),
            events: Arc::clone(&events),
            answer: Arc::new(answer),
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let url = format!("http://{}/inbox", listener.local_addr().unwrap());
        let router = Router::new().route("/inbox", post(deliver)).with_state(service);
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, events, serving }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn deliver(State(service): State<Service>, body: String) -> axum::response::Response {
    let Ok(events) = serde_json::from_str::<Vec<Value>>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let statuses: Vec<_> = events.iter().map(|event| (service.answer)(event).0).collect();
    if statuses.contains(&"hang") {
        std::future::pending::<()>().await;
    }
    if statuses.contains(&"large") && events.len() > 1 {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    let mut client = service.database.lock().await;
    let mut results = Vec::new();
    let mut failed_keys = HashSet::new();
    for event in events {
        service.events.lock().unwrap().push(event.clone());
        let id: Uuid = event["id"].as_str().unwrap().parse().unwrap();
        let key = event["subject"].as_str().map(str::to_owned);
        let (status, reason) = if failed_keys.contains(&key) {
            ("retry", "an earlier event of the key failed".to_owned())
        } else {
            (service.answer)(&event)
        };
        match status {
            "die" => panic!("a panic breaks the connection, as the end of a process does"),
            "crash" => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            "large" => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            _ => {}
        }
        if status == "retry" {
            failed_keys.insert(key.clone());
        }
        let mut status = status;
        if status == "applied" {
            let transaction = client.transaction().await.unwrap();
            let marked = transaction
                .execute(
                    "UPDATE inbox SET processed_at = clock_timestamp(), attempts = attempts + 1
                     WHERE message_id = $1 AND processed_at IS NULL AND dead_at IS NULL",
                    &[&id],
                )
                .await
                .unwrap();
            if marked == 1 {
                transaction
                    .execute(
                        "INSERT INTO effect (message_id, key, data) VALUES ($1, $2, $3)",
                        &[&id, &key, &event.get("data")],
                    )
                    .await
                    .unwrap();
            } else {
                status = "duplicate";
            }
            transaction.commit().await.unwrap();
        }
        results.push(json!({ "id": id, "status": status, "reason": reason }));
    }
    Json(json!({ "results": results })).into_response()
}
