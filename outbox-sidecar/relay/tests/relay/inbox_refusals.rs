//! Messages and requests that the application does not take.

use test_support::wait;

use crate::{
    harness::{Application, Bench, PATIENCE, pool, stored},
    raw_produce,
};

/// Number 7 of 40 gets this answer, the others are applied.
async fn with_a_culprit(label: &str, answer: &'static str) -> (Bench, Application) {
    let bench = Bench::new(label).await;
    bench.make_topic(1).await;
    let application = Application::answering(&bench, move |event| {
        if event["data"]["number"] == 7 {
            (answer, String::new())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    for number in 0..40 {
        bench.send(&format!("k{number}"), number).await;
    }
    (bench, application)
}

#[tokio::test]
async fn a_batch_too_large_is_split_until_only_the_culprit_is_dead() {
    let (bench, application) = with_a_culprit("large", "large").await;
    let _sidecar = bench.start(&bench.inbox_config(&application)).await;
    bench.wait_for_effects(39).await;
    let dead = wait::until("the culprit is dead", PATIENCE, || async {
        let sql = "SELECT key, last_error FROM inbox WHERE dead_at IS NOT NULL";
        bench.client.query_opt(sql, &[]).await.unwrap()
    })
    .await;
    assert_eq!(dead.get::<_, &[u8]>(0), b"k7");
    assert!(dead.get::<_, &str>(1).contains("413"), "{}", dead.get::<_, &str>(1));
}

#[tokio::test]
async fn a_message_that_only_times_out_holds_up_no_other_key() {
    let (bench, application) = with_a_culprit("hang", "hang").await;
    let mut config = bench.inbox_config(&application);
    config.inboxes[0].requests_mut().timeout = "1s".parse().unwrap();
    let sidecar = bench.start(&config).await;
    let effects = bench.wait_for_effects(39).await;
    assert_eq!(effects.len(), 39);
    let waiting = sidecar.waiting_for("inboxes").await;
    assert!(waiting.contains("the application to take messages"), "{waiting}");
}

#[tokio::test]
async fn a_message_that_fails_the_request_holds_up_no_other_key() {
    let (bench, application) = with_a_culprit("crash", "crash").await;
    let _sidecar = bench.start(&bench.inbox_config(&application)).await;
    assert_eq!(bench.wait_for_effects(39).await.len(), 39);
}

#[tokio::test]
async fn a_page_of_pending_messages_is_bounded_in_bytes() {
    let bench = Bench::prepared("page").await;
    bench
        .client
        .batch_execute(
            "INSERT INTO inbox (message_id, topic, partition, kafka_offset, payload)
             SELECT gen_random_uuid(), 't', 0, n, convert_to(repeat('x', 3000000), 'UTF8') FROM generate_series(1, 10) AS n",
        )
        .await
        .unwrap();
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    let store = outbox_sidecar::inbox::store::Store::new(pool(&bench), stored(&mut config));
    let (mut after, mut offsets) = (-1, Vec::new());
    loop {
        let page = store.pending("t", 0, after).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2, "{} messages of 3 MB", page.len());
        after = last.message.offset;
        offsets.extend(page.iter().map(|stored| stored.message.offset));
    }
    assert_eq!(offsets, (1..=10).collect::<Vec<_>>());
}

/// It would go on with partitions that are another's, unknown to the group.
#[tokio::test]
async fn a_consumer_fenced_off_by_the_broker_starts_anew() {
    let bench = Bench::new("fenced").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.kafka.properties.insert("group.instance.id".into(), "same".into());
    let first = bench.start(&config).await;
    bench.send("a", 1).await;
    bench.wait_for_effects(1).await;
    config.admin.listen.set_port(test_support::ports::free().unwrap());
    let second = bench.start(&config).await;
    wait::until("the first is fenced off and starts anew", PATIENCE, || async {
        let errors = first.metric("outbox_sidecar_errors_total", &[]).await;
        (errors >= 1.0).then_some(())
    })
    .await;
    second.process.kill().await;
    bench.send("a", 2).await;
    assert_eq!(bench.wait_for_effects(2).await.len(), 2);
}

#[tokio::test]
async fn a_topic_that_is_missing_holds_up_no_other() {
    let bench = Bench::new("missing").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.topics.create = false;
    config.inboxes[0].topics_mut().push(format!("{}-absent", bench.topic));
    let sidecar = bench.start(&config).await;
    bench.send("a", 1).await;
    bench.wait_for_effects(1).await;
    let errors = sidecar.metric("outbox_sidecar_errors_total", &[]).await;
    assert_eq!(errors, 0.0, "nothing starts anew: {}", sidecar.process.tail(20));
    bench.kafka.create_topic(&format!("{}-absent", bench.topic), 1).await.unwrap();
    wait::until("both are owned", PATIENCE, || async {
        (sidecar.status().await["inboxes"]["things"]["ownedPartitions"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_header_whose_name_is_no_text_is_passed_over() {
    let bench = Bench::new("badheader").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    raw_produce::with_header(bench.kafka.bootstrap(), &bench.topic, b"\xff\xfe").await;
    bench.send("a", 2).await;
    let effects = bench.wait_for_effects(2).await;
    assert_eq!(effects, [(String::new(), 1), ("a".to_owned(), 2)]);
    assert!(sidecar.process.is_running());
}
