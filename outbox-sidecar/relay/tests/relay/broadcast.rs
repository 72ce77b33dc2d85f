//! An inbox without a table, in sidecars that have no database.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::post};
use outbox_sidecar_core::config::Config;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewPartitions},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::{
    fixtures,
    kafka::{Broker, Server},
    ports, wait,
};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::harness::{PATIENCE, Sidecar};

/// A topic, and nothing else.
struct Stage {
    kafka: Server,
    topic: String,
    files: TempDir,
}

impl Stage {
    async fn new(label: &str, partitions: i32) -> Self {
        Self::on(&Server::attach(fixtures::kafka().await.bootstrap()), label, partitions).await
    }

    async fn on(kafka: &Server, label: &str, partitions: i32) -> Self {
        let kafka = Server::attach(kafka.bootstrap());
        let topic = kafka.topic(label, partitions).await.unwrap();
        Self { kafka, topic, files: TempDir::new().unwrap() }
    }

    fn config(&self, url: &str, deliver: Value) -> Config {
        let mut inbox = json!({
            "name": "things", "table": "none", "topics": [self.topic], "deliver": deliver,
        });
        inbox["deliver"]["url"] = json!(url);
        let config = json!({
            // Its name would be that of a group, were there one.
            "kafka": { "bootstrapServers": [self.kafka.bootstrap()], "clientId": self.topic },
            "admin": { "listen": format!("127.0.0.1:{}", ports::free().unwrap()) },
            "inboxes": [inbox],
        });
        Config::parse(&config.to_string()).unwrap()
    }

    /// Starts a sidecar and waits until it reads so many partitions.
    async fn start(&self, config: &Config, partitions: u64) -> Sidecar {
        let sidecar = Sidecar::start(config, "", &self.files).await;
        reads(&sidecar, partitions).await;
        sidecar
    }

    async fn send(&self, partition: i32, numbers: impl IntoIterator<Item = i64>) {
        let mut config = self.kafka.client_config();
        // A message for a partition that is not known yet waits for the next refresh.
        config.set("topic.metadata.refresh.interval.ms", "500");
        let producer: FutureProducer = config.create().unwrap();
        for number in numbers {
            let payload = json!({ "number": number }).to_string();
            // A partition that was just made is not known everywhere at once.
            wait::until("the message is sent", PATIENCE, || async {
                let record = FutureRecord::<str, _>::to(&self.topic).partition(partition);
                producer.send(record.payload(&payload), PATIENCE).await.ok()
            })
            .await;
        }
    }
}

async fn reads(sidecar: &Sidecar, partitions: u64) {
    wait::until(&format!("{partitions} partitions are read"), PATIENCE, || async {
        let status = sidecar.status().await;
        (status["inboxes"]["things"]["ownedPartitions"] == partitions).then_some(())
    })
    .await;
}

/// A service that listens to the feed and keeps no table.
struct Listening {
    url: String,
    events: Arc<Mutex<Vec<Value>>>,
    serving: AbortHandle,
}

impl Listening {
    async fn start() -> Self {
        Self::on(ports::free().unwrap()).await
    }

    async fn on(port: u16) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let listener = wait::until("the port is free", PATIENCE, || async {
            TcpListener::bind(("127.0.0.1", port)).await.ok()
        })
        .await;
        let url = format!("http://127.0.0.1:{port}/inbox");
        let router = Router::new().route("/inbox", post(applied)).with_state(Arc::clone(&events));
        let serving =
            tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, events, serving }
    }

    /// The numbers by partition, in the order of their arrival.
    fn numbers(&self) -> BTreeMap<String, Vec<i64>> {
        let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for event in self.events.lock().unwrap().iter() {
            let partition = event["kafkapartition"].as_str().unwrap().to_owned();
            numbers.entry(partition).or_default().push(event["data"]["number"].as_i64().unwrap());
        }
        numbers
    }

    async fn wait_for(&self, count: usize) -> BTreeMap<String, Vec<i64>> {
        wait::until(&format!("{count} messages have come"), PATIENCE, || async {
            let numbers = self.numbers();
            (numbers.values().map(Vec::len).sum::<usize>() >= count).then_some(numbers)
        })
        .await
    }

    /// The numbers of the messages that tell of a gap, with what they tell.
    fn gaps(&self) -> Vec<(i64, String)> {
        let events = self.events.lock().unwrap();
        let told = events.iter().filter_map(|event| {
            Some((event["data"]["number"].as_i64()?, event["kafkagap"].as_str()?.to_owned()))
        });
        told.collect()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn applied(
    State(events): State<Arc<Mutex<Vec<Value>>>>,
    Json(batch): Json<Vec<Value>>,
) -> Json<Value> {
    let results: Vec<_> = batch
        .iter()
        .map(|event| match event["data"]["number"].as_i64() {
            Some(13) => json!({ "id": event["id"], "status": "rejected", "reason": "unlucky" }),
            _ => json!({ "id": event["id"], "status": "applied" }),
        })
        .collect();
    events.lock().unwrap().extend(batch);
    Json(json!({ "results": results }))
}

#[tokio::test]
async fn every_sidecar_gets_what_comes_after_its_start_and_no_group_is_left() {
    let stage = Stage::new("feed", 3).await;
    stage.send(0, [-1, -2]).await;
    let (one, other) = (Listening::start().await, Listening::start().await);
    let first = stage.start(&stage.config(&one.url, json!({})), 3).await;
    let second = stage.start(&stage.config(&other.url, json!({})), 3).await;
    for partition in 0..3 {
        stage.send(partition, (0..50).map(|number| i64::from(partition) * 100 + number)).await;
    }
    for listening in [&one, &other] {
        for (partition, numbers) in listening.wait_for(150).await {
            let first = partition.parse::<i64>().unwrap() * 100;
            assert_eq!(numbers, (first..first + 50).collect::<Vec<_>>(), "in order, each once");
        }
        let gaps: Vec<_> = [0, 100, 200].map(|number| (number, "start".to_owned())).into();
        let mut told = listening.gaps();
        told.sort();
        assert_eq!(told, gaps, "the first of each partition tells that it is the first");
    }
    let received =
        first.metric("outbox_sidecar_inbox_received_total", &[("inbox", "things")]).await;
    assert_eq!(received, 150.0);
    // One of them, number 13, was rejected, and is not tried again.
    assert_eq!(
        first.metric("outbox_sidecar_inbox_dropped_total", &[("reason", "rejected")]).await,
        1.0
    );
    assert_eq!(first.status().await["inboxes"]["things"]["dropped"], 1);
    first.stop().await;
    let groups = groups(&stage.kafka).await;
    assert!(!groups.contains(&stage.topic), "while one runs: {groups:?}");
    second.stop().await;
}

async fn groups(kafka: &Server) -> Vec<String> {
    let consumer: BaseConsumer = kafka.client_config().create().unwrap();
    tokio::task::spawn_blocking(move || {
        let list = consumer.fetch_group_list(None, PATIENCE).unwrap();
        list.groups().iter().map(|group| group.name().to_owned()).collect()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn an_application_that_is_away_for_a_moment_misses_nothing() {
    let stage = Stage::new("blink", 1).await;
    let port = ports::free().unwrap();
    let url = format!("http://127.0.0.1:{port}/inbox");
    let sidecar = stage.start(&stage.config(&url, json!({})), 1).await;
    stage.send(0, 0..20).await;
    let waiting = sidecar.waiting_for("inboxes").await;
    assert!(waiting.starts_with("the application to take messages"), "{waiting}");
    let listening = Listening::on(port).await;
    assert_eq!(listening.wait_for(20).await["0"], (0..20).collect::<Vec<_>>());
    // Number 13 alone, which is rejected.
    assert_eq!(sidecar.metric("outbox_sidecar_inbox_dropped_total", &[]).await, 1.0);
}

#[tokio::test]
async fn one_that_stays_away_misses_the_oldest_and_is_told() {
    let stage = Stage::new("away", 1).await;
    let port = ports::free().unwrap();
    let url = format!("http://127.0.0.1:{port}/inbox");
    let patience = json!({ "giveUpAfter": "500ms", "maximumBackoff": "200ms" });
    let sidecar = stage.start(&stage.config(&url, patience), 1).await;
    stage.send(0, 100..110).await;
    wait::until("they are given up", PATIENCE, || async {
        let dropped =
            sidecar.metric("outbox_sidecar_inbox_dropped_total", &[("reason", "expired")]).await;
        (dropped == 10.0).then_some(())
    })
    .await;
    assert_eq!(sidecar.status().await["inboxes"]["things"]["queued"], 0);
    let listening = Listening::on(port).await;
    stage.send(0, 200..203).await;
    assert_eq!(listening.wait_for(3).await["0"], [200, 201, 202]);
    assert_eq!(listening.gaps(), [(200, "dropped".to_owned())]);
}

#[tokio::test]
async fn memory_is_bounded_while_the_application_is_away() {
    let stage = Stage::new("bounded", 1).await;
    let port = ports::free().unwrap();
    let url = format!("http://127.0.0.1:{port}/inbox");
    let sidecar = stage.start(&stage.config(&url, json!({ "giveUpAfter": "1h" })), 1).await;
    let producer: FutureProducer = stage.kafka.client_config().create().unwrap();
    let payload = json!({ "number": 1, "padding": "x".repeat(100_000) }).to_string();
    let sent = (0..400).map(|_| {
        let record = FutureRecord::<str, _>::to(&stage.topic).partition(0).payload(&payload);
        producer.send(record, PATIENCE)
    });
    futures::future::try_join_all(sent).await.unwrap();
    wait::until("the oldest of 40 MB are dropped", PATIENCE, || async {
        let dropped =
            sidecar.metric("outbox_sidecar_inbox_dropped_total", &[("reason", "overflow")]).await;
        (dropped >= 230.0).then_some(())
    })
    .await;
    let bytes = sidecar.metric("outbox_sidecar_inbox_queued_bytes", &[]).await;
    assert!(bytes <= f64::from(16 << 20), "{bytes}");
}

#[tokio::test]
async fn a_new_partition_is_read_from_its_first_message() {
    let stage = Stage::new("grow", 1).await;
    let listening = Listening::start().await;
    let sidecar = stage.start(&stage.config(&listening.url, json!({})), 1).await;
    let admin: AdminClient<DefaultClientContext> = stage.kafka.client_config().create().unwrap();
    let more = NewPartitions::new(&stage.topic, 3);
    admin.create_partitions([&more], &AdminOptions::new()).await.unwrap();
    // Before the sidecar can know of them.
    stage.send(2, 0..5).await;
    stage.send(0, 10..12).await;
    reads(&sidecar, 3).await;
    let numbers = listening.wait_for(7).await;
    assert_eq!(numbers["2"], [0, 1, 2, 3, 4]);
    assert_eq!(numbers["0"], [10, 11]);
    stage.send(0, [12]).await;
    stage.send(1, [20]).await;
    let numbers = listening.wait_for(9).await;
    assert_eq!((&*numbers["0"], &*numbers["1"]), (&[10, 11, 12][..], &[20][..]), "each once");
}

#[tokio::test]
async fn a_broker_that_restarts_interrupts_the_feed_and_loses_nothing() {
    let broker = Broker::temporary().await.unwrap();
    let stage = Stage::on(broker.server(), "restart", 2).await;
    let listening = Listening::start().await;
    let sidecar = stage.start(&stage.config(&listening.url, json!({})), 2).await;
    stage.send(0, 0..5).await;
    listening.wait_for(5).await;
    broker.kill().await;
    let waiting = wait::until("the outage is told", PATIENCE * 2, || async {
        Some(sidecar.status().await["inboxes"]["things"]["waitingFor"].as_str()?.to_owned())
    })
    .await;
    assert!(waiting.starts_with("the brokers: "), "{waiting}");
    broker.start().await.unwrap();
    stage.send(0, 5..10).await;
    stage.send(1, 100..105).await;
    let numbers = listening.wait_for(15).await;
    assert_eq!(numbers["0"], (0..10).collect::<Vec<_>>());
    assert_eq!(numbers["1"], (100..105).collect::<Vec<_>>());
    wait::until("nothing is waited for", PATIENCE, || async {
        sidecar.status().await["inboxes"]["things"]["waitingFor"].is_null().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sidecar_without_a_database_has_no_dead_letters_and_checks_its_topics() {
    let stage = Stage::new("bare", 1).await;
    let listening = Listening::start().await;
    let mut config = stage.config(&listening.url, json!({}));
    config.topics.create = false;
    let sidecar = stage.start(&config, 1).await;
    let (code, text) = sidecar.command(&["dead-letters", "list"]).await;
    assert_eq!((code, text.as_str()), (0, "no dead letters\n"));
    let (code, text) =
        sidecar.command(&["check", "--database", sidecar.file.to_str().unwrap()]).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = sidecar.command(&["init", "--config", sidecar.file.to_str().unwrap()]).await;
    assert!(code != 0 && text.contains("names no table"), "{text}");
    // The reloaded one reads what the other did not.
    let other = stage.kafka.topic("bare-other", 1).await.unwrap();
    config.inboxes[0].topics_mut().push(other);
    sidecar.reconfigure(&config).await;
    reads(&sidecar, 2).await;
    stage.send(0, [1]).await;
    listening.wait_for(1).await;
    assert!(tokio::time::timeout(Duration::from_secs(30), sidecar.stop()).await.is_ok());
}
