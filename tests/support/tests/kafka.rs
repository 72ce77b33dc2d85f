//! Kafka as the other tests use it.

#![expect(clippy::unwrap_used, reason = "the helper functions are as much a test as the tests")]

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use test_support::fixtures;
use test_support::kafka::{Broker, Options, Server};
use test_support::wait;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);

async fn send(server: &Server, bootstrap: &str, topic: &str, payload: &str) {
    let producer: FutureProducer =
        server.client_config().set("bootstrap.servers", bootstrap).create().unwrap();
    let record = FutureRecord::to(topic).key("k").payload(payload);
    timeout(DEADLINE, producer.send(record, DEADLINE)).await.unwrap().unwrap();
}

/// The first `count` payloads of a topic.
async fn receive(server: &Server, topic: &str, count: usize) -> Vec<String> {
    let consumer: StreamConsumer = server
        .client_config()
        .set("group.id", Server::unique("reader"))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let mut payloads = Vec::new();
    while payloads.len() < count {
        let message = timeout(DEADLINE, consumer.recv()).await.unwrap().unwrap();
        payloads.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
    payloads
}

#[tokio::test]
async fn what_is_produced_is_consumed() {
    let server = fixtures::kafka().await;
    let topic = server.topic("roundtrip", 3).await.unwrap();
    send(server, server.bootstrap(), &topic, "hello").await;
    assert_eq!(receive(server, &topic, 1).await, ["hello"]);
    server.delete_topic(&topic).await.unwrap();
}

#[tokio::test]
async fn a_killed_broker_comes_back_with_its_data_and_a_proxied_client_stays_behind_the_proxy() {
    let begun = Instant::now();
    let options = Options { proxied: true, ..Options::default() };
    let broker = Broker::start_with(options).await.unwrap();
    eprintln!("broker started in {:?}", begun.elapsed());
    let topic = broker.topic("crash", 1).await.unwrap();
    let proxied = broker.proxied_bootstrap().unwrap();
    send(&broker, &proxied, &topic, "before").await;

    broker.kill().await;
    let begun = Instant::now();
    broker.start().await.unwrap();
    eprintln!("broker recovered in {:?}", begun.elapsed());
    send(&broker, &proxied, &topic, "after").await;
    assert_eq!(receive(&broker, &topic, 2).await, ["before", "after"]);

    // Whatever address the client learns from the broker, it is the proxy's.
    broker.proxy().unwrap().refuse();
    let producer: FutureProducer = broker
        .client_config()
        .set("bootstrap.servers", &proxied)
        .set("message.timeout.ms", "1000")
        .create()
        .unwrap();
    let record = FutureRecord::<str, str>::to(&topic).payload("lost");
    assert!(producer.send(record, Duration::ZERO).await.is_err());
    broker.proxy().unwrap().restore();
    wait::until("the proxied client reaches the broker", DEADLINE, || async {
        let record = FutureRecord::<str, str>::to(&topic).payload("passed");
        producer.send(record, Duration::ZERO).await.ok()
    })
    .await;
}
