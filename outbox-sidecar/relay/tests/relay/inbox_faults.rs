use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use test_support::{ports, wait};

use crate::harness::{Application, Bench, PATIENCE};

#[tokio::test]
async fn an_application_that_comes_later_gets_everything_and_no_attempt_is_counted() {
    let bench = Bench::new("later").await;
    bench.make_topic(1).await;
    let port = ports::free().unwrap();
    let absent = Application::listening(&bench, port, |_| ("applied", String::new())).await;
    let config = bench.inbox_config(&absent);
    drop(absent);
    let sidecar = bench.start(&config).await;
    for number in 0..20 {
        bench.send("a", number).await;
    }
    let waiting = sidecar.waiting_for("inboxes").await;
    assert!(waiting.contains("the application to take messages"), "{waiting}");
    let _application = wait::until("the port is free again", PATIENCE, || async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.ok()?;
        drop(listener);
        Some(Application::listening(&bench, port, |_| ("applied", String::new())).await)
    })
    .await;
    let effects = bench.wait_for_effects(20).await;
    assert_eq!(effects, (0..20).map(|number| ("a".to_owned(), number)).collect::<Vec<_>>());
    let attempts: i64 =
        bench.client.query_one("SELECT sum(attempts) FROM inbox", &[]).await.unwrap().get(0);
    assert_eq!(attempts, 20, "one each, by the application itself");
}

#[tokio::test]
async fn a_key_that_fails_holds_up_no_other_key() {
    let bench = Bench::new("parked").await;
    bench.make_topic(1).await;
    let mended = Arc::new(AtomicBool::new(false));
    let watch = Arc::clone(&mended);
    let application = Application::answering(&bench, move |event| {
        if event["subject"] == "bad" && !watch.load(Ordering::Relaxed) {
            ("retry", "not yet".into())
        } else {
            ("applied", String::new())
        }
    })
    .await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    bench.send("bad", 1).await;
    bench.send("bad", 2).await;
    bench.send("good", 3).await;
    assert_eq!(bench.wait_for_effects(1).await, [("good".to_owned(), 3)]);
    wait::until("the bad key is parked", PATIENCE, || async {
        (sidecar.metric("outbox_sidecar_inbox_parked_keys", &[]).await == 1.0).then_some(())
    })
    .await;
    mended.store(true, Ordering::Relaxed);
    assert_eq!(
        bench.wait_for_effects(3).await[1..],
        [("bad".to_owned(), 1), ("bad".to_owned(), 2)]
    );
}

#[tokio::test]
async fn kill_9_at_any_moment_loses_nothing_and_applies_nothing_twice() {
    const MESSAGES: usize = 300;
    let bench = Bench::new("inboxkill").await;
    bench.make_topic(3).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.kafka.properties.insert("session.timeout.ms".into(), "6000".into());
    config.inboxes[0].requests_mut().batch = 5;
    for number in 0..MESSAGES {
        bench.send(&format!("k{}", number % 6), i64::try_from(number).unwrap()).await;
    }
    for round in 1..=3 {
        let sidecar = bench.start(&config).await;
        bench.wait_for_effects(round * 50).await;
        sidecar.process.kill().await;
    }
    let _sidecar = bench.start(&config).await;
    let effects = bench.wait_for_effects(MESSAGES).await;
    assert_eq!(effects.len(), MESSAGES);
    for key in 0..6 {
        let numbers: Vec<_> = effects
            .iter()
            .filter(|(of, _)| *of == format!("k{key}"))
            .map(|(_, number)| *number)
            .collect();
        assert!(numbers.is_sorted(), "k{key}: {numbers:?}");
    }
}

#[tokio::test]
async fn two_sidecars_share_the_partitions_and_one_takes_over_when_the_other_dies() {
    let bench = Bench::new("share").await;
    bench.make_topic(4).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.kafka.properties.insert("session.timeout.ms".into(), "6000".into());
    let first = bench.start(&config).await;
    config.admin.listen.set_port(ports::free().unwrap());
    let second = bench.start(&config).await;
    wait::until("both own partitions", PATIENCE, || async {
        let (first, second) = (first.status().await, second.status().await);
        let owned =
            |status: &serde_json::Value| status["inboxes"]["things"]["ownedPartitions"].as_u64();
        (owned(&first)? == 2 && owned(&second)? == 2).then_some(())
    })
    .await;
    for number in 0..100 {
        bench.send(&format!("k{}", number % 8), number).await;
    }
    first.process.kill().await;
    for number in 100..200 {
        bench.send(&format!("k{}", number % 8), number).await;
    }
    let effects = bench.wait_for_effects(200).await;
    assert_eq!(effects.len(), 200);
    for key in 0..8 {
        let numbers: Vec<_> = effects
            .iter()
            .filter(|(of, _)| *of == format!("k{key}"))
            .map(|(_, number)| *number)
            .collect();
        assert!(numbers.is_sorted(), "k{key}: {numbers:?}");
    }
}

#[tokio::test]
async fn a_database_that_goes_away_and_comes_back_loses_nothing() {
    let bench = Bench::new("inboxcut").await;
    bench.make_topic(2).await;
    let application = Application::start(&bench).await;
    let sidecar = bench.start(&bench.inbox_config(&application)).await;
    let admin = bench.database.connect_admin().await.unwrap();
    for number in 0..100 {
        bench.send(&format!("k{}", number % 4), number).await;
        if number % 20 == 10 {
            admin
                .execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'outbox-sidecar'",
                    &[],
                )
                .await
                .unwrap();
        }
    }
    assert_eq!(bench.wait_for_effects(100).await.len(), 100);
    assert!(sidecar.process.is_running(), "it was the same process all along");
}
