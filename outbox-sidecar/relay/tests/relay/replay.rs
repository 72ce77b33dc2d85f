//! Retained rows published again on somebody's behalf.

use std::process::{Command, Output, Stdio};

use outbox_sidecar_core::config::Config;
use serde_json::json;
use test_support::wait;

use crate::harness::{Application, Bench, Listener, PATIENCE, Sidecar, header, key, number};

/// The command, with the bench's configuration in a file.
fn command(bench: &Bench, config: &Config, arguments: &[&str]) -> Command {
    let file = bench.files.path().join("replay.yaml");
    std::fs::write(&file, config.to_json().unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"));
    command.args(["replay", "--config"]).arg(file).args(arguments);
    command.env("DATABASE_URL", bench.database.url()).env("USER", "somebody");
    command
}

async fn replay(bench: &Bench, config: &Config, arguments: &[&str]) -> Output {
    let mut command = command(bench, config, arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn published(sidecar: &Sidecar, rows: u64) {
    wait::until(&format!("{rows} rows are published"), PATIENCE, || async {
        (sidecar.status().await["outboxes"]["things"]["published"] == rows).then_some(())
    })
    .await;
}

/// Waits for so many replayed records, and returns their keys and numbers.
async fn replayed(listener: &mut Listener, count: usize) -> Vec<(String, i64)> {
    listener.wait_for_records(count, |message| header(message, "replay").is_some()).await;
    let marked = listener.received.iter().filter(|m| header(m, "replay").is_some());
    marked.map(|message| (key(message), number(message))).collect()
}

#[tokio::test]
async fn the_rows_of_a_key_are_published_again_in_order_marked_and_on_record() {
    let bench = Bench::new("replaykey").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    for number in 1..=3 {
        bench.add("a", number).await;
        bench.add("b", 10 + number).await;
    }
    published(&sidecar, 6).await;
    let cursors =
        "SELECT string_agg(published::text, ' ' ORDER BY bucket) FROM outbox_sidecar.cursor";
    sidecar.stop().await;
    let before: String = bench.client.query_one(cursors, &[]).await.unwrap().get(0);
    // Committed, but not published yet: its turn is to come.
    bench.add("a", 4).await;

    let dry = replay(&bench, &config, &["--outbox", "things", "--key", "a", "--dry-run"]).await;
    assert!(dry.status.success(), "{dry:?}");
    assert_eq!(
        String::from_utf8(dry.stdout).unwrap(),
        "3 rows would be published again, positions 1 to 5\n"
    );
    let done = replay(&bench, &config, &["--outbox", "things", "--key", "a"]).await;
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("3 rows published again, 0 refused"));

    let mut listener = bench.listen();
    let again = replayed(&mut listener, 3).await;
    assert_eq!(again, [("a".into(), 1), ("a".into(), 2), ("a".into(), 3)]);
    let record = bench
        .client
        .query_one(
            "SELECT id::text, actor, key, rows, position, finished_at IS NOT NULL, database_user
             FROM outbox_sidecar.replay",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(
        header(listener.received.last().unwrap(), "replay").unwrap(),
        record.get::<_, String>(0)
    );
    assert_eq!(record.get::<_, &str>(1), "somebody");
    assert_eq!(record.get::<_, &str>(2), "a");
    assert_eq!(record.get::<_, i64>(3), 3);
    assert_eq!(record.get::<_, i64>(4), 5);
    assert!(record.get::<_, bool>(5));
    assert_eq!(record.get::<_, &str>(6), bench.database.name());
    let after: String = bench.client.query_one(cursors, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "the relay goes on where it was");
}

#[tokio::test]
async fn one_row_or_a_span_of_time_is_published_again() {
    let bench = Bench::new("replaysome").await;
    let config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    for number in 1..=4 {
        bench.add("a", number).await;
    }
    published(&sidecar, 4).await;
    bench
        .client
        .execute(
            "UPDATE outbox SET created_at = '2026-01-01T00:00:00Z'::timestamptz + position * interval '1 hour'",
            &[],
        )
        .await
        .unwrap();
    let span = ["--since", "2026-01-01T02:00:00Z", "--until", "2026-01-01T04:00:00Z"];
    let done = replay(&bench, &config, &[&["--outbox", "things"], &span[..]].concat()).await;
    assert!(done.status.success(), "{done:?}");
    let id: String = bench
        .client
        .query_one("SELECT id::text FROM outbox WHERE position = 4", &[])
        .await
        .unwrap()
        .get(0);
    let done = replay(&bench, &config, &["--outbox", "things", "--id", &id, "--actor", "me"]).await;
    assert!(done.status.success(), "{done:?}");
    let mut listener = bench.listen();
    let again = replayed(&mut listener, 3).await;
    assert_eq!(again, [("a".into(), 2), ("a".into(), 3), ("a".into(), 4)]);
}

#[tokio::test]
async fn an_inbox_answers_a_replay_with_duplicates() {
    let bench = Bench::new("replayinbox").await;
    bench.make_topic(1).await;
    let application = Application::start(&bench).await;
    let mut config = bench.inbox_config(&application);
    config.outboxes = bench.outbox_config().outboxes;
    let sidecar = bench.start(&config).await;
    for number in 1..=3 {
        bench.add("a", number).await;
    }
    bench.wait_for_effects(3).await;
    published(&sidecar, 3).await;
    let done = replay(&bench, &config, &["--outbox", "things", "--key", "a"]).await;
    assert!(done.status.success(), "{done:?}");
    wait::until("the repetitions have arrived", PATIENCE, || async {
        let duplicates = sidecar.metric("outbox_sidecar_inbox_duplicates_total", &[]).await;
        (duplicates == 3.0).then_some(())
    })
    .await;
    assert_eq!(bench.effects().await.len(), 3);
}

#[tokio::test]
async fn a_replay_that_was_killed_is_resumed_where_it_was() {
    let bench = Bench::new("replaykilled").await;
    let mut config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    bench
        .client
        .batch_execute(
            "INSERT INTO outbox (aggregate_id, payload)
             SELECT 'a', jsonb_build_object('number', n) FROM generate_series(1, 3000) AS n",
        )
        .await
        .unwrap();
    published(&sidecar, 3000).await;
    sidecar.stop().await;
    config.outboxes[0].chunk.rows = 10;
    let mut command = command(&bench, &config, &["--outbox", "things", "--key", "a"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let record =
        "SELECT id::text, position, rows, finished_at IS NOT NULL FROM outbox_sidecar.replay";
    wait::until("some rows are on record", PATIENCE, || async {
        let row = bench.client.query_opt(record, &[]).await.unwrap()?;
        row.get::<_, Option<i64>>(1)
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    let row = bench.client.query_one(record, &[]).await.unwrap();
    assert!(row.get::<_, i64>(1) < 3000, "it was to be killed on the way");
    let id: String = row.get(0);
    let done = replay(&bench, &config, &["--resume", &id]).await;
    assert!(done.status.success(), "{done:?}");
    let row = bench.client.query_one(record, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(1), row.get::<_, i64>(2)), (3000, 3000));
    assert!(row.get::<_, bool>(3));

    let mut listener = bench.listen();
    let mut numbers: Vec<_> = Vec::new();
    while numbers.last() != Some(&3000) {
        let seen = numbers.len();
        let again = replayed(&mut listener, seen + 1).await;
        numbers = again.into_iter().map(|(_, number)| number).collect();
    }
    // At most the chunk under way is there twice.
    assert!((3000..=3010).contains(&numbers.len()), "{}", numbers.len());
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 3000);
}

#[tokio::test]
async fn a_row_that_the_broker_refuses_is_named_and_the_others_are_published_again() {
    let bench = Bench::new("replaypoison").await;
    let mut config = bench.outbox_config();
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    bench
        .client
        .execute(
            "INSERT INTO outbox (aggregate_id, payload)
             SELECT 'b', jsonb_build_object('text', string_agg(md5(n::text), '')) FROM generate_series(1, 500) AS n",
            &[],
        )
        .await
        .unwrap();
    bench.add("a", 3).await;
    published(&sidecar, 3).await;
    config.kafka.properties.insert("message.max.bytes".into(), "2000".into());
    let since = ["--outbox", "things", "--since", "2000-01-01T00:00:00Z"];
    let done = replay(&bench, &config, &since).await;
    assert!(done.status.success(), "{done:?}");
    assert!(String::from_utf8_lossy(&done.stdout).starts_with("2 rows published again, 1 refused"));
    assert!(String::from_utf8_lossy(&done.stderr).contains("refused: position 2"), "{done:?}");
    let again = replayed(&mut bench.listen(), 2).await;
    assert_eq!(again, [("a".into(), 1), ("a".into(), 3)]);
}

#[tokio::test]
async fn a_replay_without_rows_to_choose_or_of_an_unknown_outbox_is_refused() {
    let bench = Bench::new("replayrefused").await;
    let config = bench.config(
        json!({ "outboxes": [{ "name": "things", "table": "outbox", "topic": bench.topic }] }),
    );
    for (arguments, said) in [
        (&["--outbox", "things"][..], "--key"),
        (&["--outbox", "thing", "--key", "a"], "has no outbox `thing`; it has things"),
        (&["--outbox", "things", "--since", "yesterday"], "yesterday"),
        (&["--resume", "6f0c2f1c-7d5c-4c39-9c0f-5b7a4c9f6b1e"], "there is no replay 6f0c2f1c"),
    ] {
        let refused = replay(&bench, &config, arguments).await;
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(64), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn rows_that_wait_or_were_given_up_are_not_published_again() {
    let bench = Bench::new("replaydead").await;
    let mut config = bench.impatient_config();
    config.outboxes[0].poison.maximum_attempts = 1;
    let sidecar = bench.start(&config).await;
    bench.add("a", 1).await;
    let sql = "INSERT INTO outbox (aggregate_id, payload, headers) VALUES ('a', '{}', '[]')";
    bench.client.execute(sql, &[]).await.unwrap();
    bench.add("a", 3).await;
    published(&sidecar, 2).await;
    sidecar.stop().await;
    let dry = replay(&bench, &config, &["--outbox", "things", "--key", "a", "--dry-run"]).await;
    assert_eq!(
        String::from_utf8(dry.stdout).unwrap(),
        "2 rows would be published again, positions 1 to 3\n"
    );
}
