//! A change of the configuration is followed while the sidecar runs.

use std::{fs, os::unix::fs::symlink};

use outbox_sidecar_core::config::{Config, KeyRef, SecretRef};
use test_support::{kafka::Server, ports, wait};
use tokio::sync::oneshot;

use crate::harness::{Application, Bench, Listener, PATIENCE, Sidecar, insert};

/// The configuration with a second outbox, from a table of its own to a topic of its own.
async fn with_second_outbox(bench: &Bench, config: &Config) -> (Config, String) {
    bench.client.batch_execute("CREATE TABLE extras (LIKE outbox INCLUDING ALL)").await.unwrap();
    let topic = Server::unique("extras");
    let mut config = config.clone();
    let mut extras = config.outboxes[0].clone();
    extras.name = "extras".into();
    extras.table = "extras".parse().unwrap();
    extras.topic = topic.parse().unwrap();
    config.outboxes.push(extras);
    (config, topic)
}

async fn add_extra(bench: &Bench, number: i32) {
    let insert = "INSERT INTO extras (aggregate_id, payload) VALUES ('x', jsonb_build_object('number', $1::int4))";
    bench.client.execute(insert, &[&number]).await.unwrap();
}

#[tokio::test]
async fn an_outbox_that_is_added_is_published_and_the_first_loses_and_reorders_nothing() {
    const KEYS: i32 = 7;
    let bench = Bench::new("added").await;
    let config = bench.outbox_config();
    let (both, topic) = with_second_outbox(&bench, &config).await;
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();

    // Rows flow before, during and after the change.
    let client = bench.database.connect().await.unwrap();
    let (enough, mut told) = oneshot::channel::<()>();
    let writer = tokio::spawn(async move {
        let mut rows = 0;
        while told.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            insert(&client, &format!("key-{}", rows % KEYS), rows).await;
            rows += 1;
        }
        rows
    });
    listener.wait_for(100).await;
    add_extra(&bench, 1).await;
    sidecar.reconfigure(&both).await;
    add_extra(&bench, 2).await;
    let mut extras = Listener::new(bench.kafka.bootstrap(), &topic);
    extras.wait_for(2).await;
    assert_eq!(extras.first_by_key()["x"], [1, 2]);
    enough.send(()).unwrap();
    let rows = writer.await.unwrap();

    listener.wait_for(usize::try_from(rows).unwrap()).await;
    let by_key = listener.first_by_key();
    for key in 0..KEYS {
        let expected: Vec<i64> = (0..rows).filter(|n| n % KEYS == key).map(i64::from).collect();
        assert_eq!(by_key[&format!("key-{key}")], expected);
    }
    sidecar.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_changes_nothing_and_is_told_until_it_is_mended() {
    let bench = Bench::new("broken").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    let good = fs::read_to_string(&sidecar.file).unwrap();
    let mut missing_secret = config.clone();
    missing_secret.database.as_mut().unwrap().url =
        SecretRef::File(bench.files.path().join("no-such-url"));
    let mut in_cluster = config.clone();
    in_cluster.database.as_mut().unwrap().url =
        SecretRef::Secret(KeyRef { name: "a".into(), key: "b".into() });
    let mut moved = config.clone();
    moved.admin.listen.set_port(ports::free().unwrap());
    let mut listener = bench.listen();

    let broken = [
        (good.replace("\"table\"", "\"tabel\""), "unknown field `tabel`; did you mean `table`?"),
        (in_cluster.to_json().unwrap(), "`secret` is for a Relay in a cluster"),
        (missing_secret.to_json().unwrap(), "no-such-url"),
        (moved.to_json().unwrap(), "admin.listen: cannot change from"),
    ];
    for (number, (text, problem)) in (1..).zip(broken) {
        fs::write(&sidecar.file, text).unwrap();
        wait::until("the problem is told", PATIENCE, || async {
            sidecar.refusal().await.contains(problem).then_some(())
        })
        .await;
        assert_eq!(sidecar.status().await["config"], config.fingerprint());
        assert_eq!(
            sidecar.metric("outbox_sidecar_config_reload_failures_total", &[]).await,
            f64::from(number)
        );
        assert_eq!(sidecar.metric("outbox_sidecar_config_last_reload_successful", &[]).await, 0.0);
        bench.add("a", number).await;
        listener.wait_for(usize::try_from(number).unwrap()).await;
    }

    fs::write(&sidecar.file, &good).unwrap();
    wait::until("all is well again", PATIENCE, || async {
        sidecar.status().await.get("reloadProblem").is_none().then_some(())
    })
    .await;
    assert_eq!(sidecar.metric("outbox_sidecar_config_last_reload_successful", &[]).await, 1.0);
    sidecar.stop().await;
}

#[tokio::test]
async fn a_change_by_swapping_a_symbolic_link_is_noticed_as_in_a_mounted_volume() {
    let bench = Bench::new("swapped").await;
    let config = bench.outbox_config();
    let (both, topic) = with_second_outbox(&bench, &config).await;
    // As kubelet does it: config.yaml -> ..data/config.yaml, and ..data -> one of the versions.
    let volume = bench.files.path().join("volume");
    for (version, config) in [("..1", &config), ("..2", &both)] {
        fs::create_dir_all(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("config.yaml"), config.to_json().unwrap()).unwrap();
    }
    symlink("..1", volume.join("..data")).unwrap();
    symlink("..data/config.yaml", volume.join("config.yaml")).unwrap();
    let sidecar =
        Sidecar::start_file(volume.join("config.yaml"), &config, bench.database.url()).await;
    sidecar.runs_with(&config).await;

    symlink("..2", volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    fs::remove_dir_all(volume.join("..1")).unwrap();
    sidecar.runs_with(&both).await;
    add_extra(&bench, 1).await;
    Listener::new(bench.kafka.bootstrap(), &topic).wait_for(1).await;
    sidecar.stop().await;
}

#[tokio::test]
async fn a_secret_that_is_rotated_is_used_from_then_on() {
    let bench = Bench::new("rotated").await;
    let other = Bench::new("rotated_to").await;
    let url = bench.files.path().join("url");
    fs::write(&url, bench.database.url()).unwrap();
    let mut config = bench.outbox_config();
    config.database.as_mut().unwrap().url = SecretRef::File(url.clone());
    bench.add("a", 1).await;
    other.add("a", 2).await;
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;

    fs::write(&url, other.database.url()).unwrap();
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key()["a"], [1, 2]);
    assert_eq!(
        sidecar.status().await["config"],
        config.fingerprint(),
        "the fingerprint tells nothing of secrets"
    );
    sidecar.stop().await;
}

#[tokio::test]
async fn what_is_removed_is_told_no_more_and_published_no_more() {
    let bench = Bench::new("removed").await;
    let config = bench.outbox_config();
    let (both, topic) = with_second_outbox(&bench, &config).await;
    let sidecar = bench.start(&both).await;
    add_extra(&bench, 1).await;
    Listener::new(bench.kafka.bootstrap(), &topic).wait_for(1).await;
    let published = "outbox_sidecar_outbox_published_total";
    wait::until("it is counted", PATIENCE, || async {
        (sidecar.metric(published, &[("outbox", "extras")]).await == 1.0).then_some(())
    })
    .await;

    sidecar.reconfigure(&config).await;
    assert_eq!(sidecar.metric(published, &[("outbox", "extras")]).await, 0.0);
    assert!(sidecar.status().await["outboxes"].get("extras").is_none());
    // Its leases were given back, and the row of the first is published by the same process.
    let leases =
        "SELECT count(*) FROM outbox_sidecar.cursor WHERE outbox = 'extras' AND owner IS NOT NULL";
    assert_eq!(bench.client.query_one(leases, &[]).await.unwrap().get::<_, i64>(0), 0);
    bench.add("a", 1).await;
    bench.listen().wait_for(1).await;
    sidecar.stop().await;
}

#[tokio::test]
async fn an_inbox_goes_on_at_another_address_and_applies_everything_once() {
    const MESSAGES: i64 = 400;
    let bench = Bench::new("moved").await;
    bench.make_topic(3).await;
    let (first, second) = (Application::start(&bench).await, Application::start(&bench).await);
    let config = bench.inbox_config(&first);
    let mut moved = config.clone();
    moved.inboxes[0].requests_mut().url.clone_from(&second.url);
    let sidecar = bench.start(&config).await;

    let sending = async {
        for number in 0..MESSAGES {
            bench.send(&format!("key-{}", number % 5), number).await;
        }
    };
    let moving = async {
        bench.wait_for_effects(20).await;
        sidecar.reconfigure(&moved).await;
    };
    tokio::join!(sending, moving);

    let effects = bench.wait_for_effects(usize::try_from(MESSAGES).unwrap()).await;
    for key in 0..5 {
        let expected: Vec<i64> = (0..MESSAGES).filter(|number| number % 5 == key).collect();
        let name = format!("key-{key}");
        let applied: Vec<i64> =
            effects.iter().filter(|(key, _)| *key == name).map(|(_, number)| *number).collect();
        assert_eq!(applied, expected);
    }
    assert!(!second.events.lock().unwrap().is_empty(), "the new address got the rest");
    sidecar.stop().await;
}

#[tokio::test]
async fn a_configuration_that_waits_for_a_database_can_be_mended() {
    let bench = Bench::new("waiting").await;
    let url = bench.files.path().join("url");
    let nowhere = format!("postgresql://u:p@127.0.0.1:{}/d", ports::free().unwrap());
    fs::write(&url, nowhere).unwrap();
    let mut config = bench.outbox_config();
    config.database.as_mut().unwrap().url = SecretRef::File(url.clone());
    bench.add("a", 1).await;
    let sidecar = bench.start(&config).await;
    wait::until("it waits for the database", PATIENCE, || async {
        sidecar.status().await["waitingFor"].is_string().then_some(())
    })
    .await;

    fs::write(&url, bench.database.url()).unwrap();
    bench.listen().wait_for(1).await;
    sidecar.stop().await;
}
