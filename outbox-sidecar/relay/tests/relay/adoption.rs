//! `init` and `check --database`: from an empty or unfit database to one that works.

use std::process::Output;

use outbox_sidecar_core::config::Config;
use serde_json::{Value, json};
use test_support::wait;

use crate::harness::{Bench, Listener, PATIENCE};

/// Runs a command of the sidecar against the test's database; its code and all it says.
async fn command(bench: &Bench, arguments: &[&str]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        tokio::process::Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"))
            .args(arguments)
            .env("DATABASE_URL", bench.database.url())
            .output()
            .await
            .unwrap();
    (status.code().unwrap(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn file(bench: &Bench, config: &Config) -> String {
    let file = bench.files.path().join("relay.yaml");
    std::fs::write(&file, config.to_json().unwrap()).unwrap();
    file.to_str().unwrap().to_owned()
}

async fn check(bench: &Bench, config: &Config) -> (i32, String) {
    command(bench, &["check", &file(bench, config), "--database"]).await
}

fn statements(report: &str) -> Vec<&str> {
    report.lines().map(str::trim).filter(|line| line.ends_with(';')).collect()
}

#[tokio::test]
async fn the_reference_tables_are_found_to_be_complete() {
    let bench = Bench::new("checkclean").await;
    let mut config = bench.outbox_config();
    config.inboxes = bench.config(inbox(&bench, "inbox")).inboxes;
    let (code, text) = check(&bench, &config).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("valid; 1 outboxes, 1 inboxes"), "{text}");
}

fn inbox(bench: &Bench, table: &str) -> Value {
    json!({ "inboxes": [{
        "name": "things", "table": table, "topics": [bench.topic], "consumerGroup": bench.topic,
        "deliver": { "url": "http://127.0.0.1:1/inbox" },
    }] })
}

#[tokio::test]
async fn everything_that_is_missing_is_said_at_once_with_what_mends_it() {
    let bench = Bench::new("checkall").await;
    bench
        .client
        .batch_execute(
            "ALTER TABLE outbox DROP COLUMN type, DROP COLUMN bucket, ALTER COLUMN created_at DROP DEFAULT,
                                ALTER COLUMN created_at TYPE date;
             ALTER TABLE inbox DROP CONSTRAINT inbox_pkey, DROP COLUMN attempts, DROP COLUMN topic;",
        )
        .await
        .unwrap();
    let mut config = bench.outbox_config();
    config.inboxes = bench.config(inbox(&bench, "inbox")).inboxes;
    config.topics.create = false;
    let (code, text) = check(&bench, &config).await;
    assert_eq!(code, 64, "{text}");
    for part in [
        "column `type` is missing",
        "column `bucket` is missing",
        "column `created_at` is date, not timestamptz",
        "column `attempts` is missing",
        "column `topic` is missing",
        "column `message_id` has no unique index",
        &format!("the topic {} does not exist", bench.topic),
    ] {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    // The indexes of what is missing come to light when it is there.
    bench.make_topic(1).await;
    for round in 0..3 {
        let (code, text) = check(&bench, &config).await;
        if code == 0 {
            return;
        }
        assert!(round < 2, "{text}");
        for statement in statements(&text) {
            bench.client.batch_execute(statement).await.unwrap();
        }
    }
}

#[tokio::test]
async fn missing_privileges_are_said_with_the_grants() {
    let bench = Bench::new("checkgrants").await;
    let admin = bench.database.connect_admin().await.unwrap();
    let user: String =
        bench.client.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    admin
        .batch_execute(&format!(
            "ALTER TABLE outbox OWNER TO CURRENT_USER; REVOKE ALL ON outbox FROM PUBLIC, \"{user}\";
             CREATE SCHEMA outbox_sidecar"
        ))
        .await
        .unwrap();
    let (code, text) = check(&bench, &bench.outbox_config()).await;
    assert_eq!(code, 64, "{text}");
    for grant in
        ["GRANT SELECT ON", "GRANT DELETE ON", "GRANT USAGE, CREATE ON SCHEMA outbox_sidecar"]
    {
        assert!(text.contains(grant), "{text} does not say {grant}");
    }
    for statement in statements(&text) {
        admin.batch_execute(statement).await.unwrap();
    }
    let (code, text) = check(&bench, &bench.outbox_config()).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test]
async fn what_init_prints_can_be_run_again_and_lacks_nothing() {
    let bench = Bench::new("init").await;
    for (number, arguments) in [
        &["--partitioned"][..],
        &[],
        &["--preset", "debezium"],
        &["--preset", "openOutbox"],
        &["--preset", "openOutbox", "--partitioned"],
    ]
    .into_iter()
    .enumerate()
    {
        let schema = format!("shop{number}");
        let names = ["init", "--outbox", "Out box", "--inbox", "inbox", "--schema", &schema];
        let (code, sql) = command(&bench, &[&names[..], arguments].concat()).await;
        assert_eq!(code, 0, "{sql}");
        for _ in 0..2 {
            bench.client.batch_execute(&sql).await.unwrap();
        }
        let mut outbox = json!({ "name": "things", "table": format!("{schema}.Out box") });
        match arguments {
            ["--preset", preset, ..] => outbox["preset"] = json!(preset),
            _ => outbox["topic"] = json!(bench.topic),
        }
        let mut config = bench.config(json!({ "outboxes": [outbox] }));
        config.inboxes = bench.config(inbox(&bench, &format!("{schema}.inbox"))).inboxes;
        let (code, text) = check(&bench, &config).await;
        assert_eq!(code, 0, "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn init_applies_what_the_configuration_names() {
    let bench = Bench::new("initapply").await;
    let config = bench.config(json!({ "outboxes": [{
        "name": "things", "table": "made.events", "topic": bench.topic, "engine": "claim",
        "columns": { "key": "entity", "headers": null },
        "claim": { "onPublished": "mark", "publishedAt": "sent_at" },
    }] }));
    for _ in 0..2 {
        let (code, text) =
            command(&bench, &["init", "--config", &file(&bench, &config), "--apply"]).await;
        assert_eq!(code, 0, "{text}");
    }
    let (code, text) = check(&bench, &config).await;
    assert_eq!(code, 0, "{text}");
    let sql = "INSERT INTO made.events (entity, type, payload)
               SELECT 'a', 'made', jsonb_build_object('number', n) FROM generate_series(0, 9) AS n";
    bench.client.execute(sql, &[]).await.unwrap();
    let _sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(10).await;
    assert_eq!(listener.first_by_key()["a"], (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_outbox_that_init_has_partitioned_is_published() {
    let bench = Bench::new("initpartitioned").await;
    let (code, sql) = command(&bench, &["init", "--outbox", "parted", "--partitioned"]).await;
    assert_eq!(code, 0, "{sql}");
    bench.client.batch_execute(&sql).await.unwrap();
    let config = bench.config(json!({ "outboxes": [{
        "name": "things", "table": "parted", "topic": format!("{}.{{aggregate_type}}", bench.topic),
        "chunk": { "rows": 3 },
    }] }));
    let _sidecar = bench.start(&config).await;
    let sql = "INSERT INTO parted (aggregate_type, aggregate_id, type, payload)
               SELECT 'thing', 'a', 'made', jsonb_build_object('number', n) FROM generate_series(0, 19) AS n";
    bench.client.execute(sql, &[]).await.unwrap();
    let mut listener = Listener::new(bench.kafka.bootstrap(), &format!("{}.thing", bench.topic));
    listener.wait_for(20).await;
    assert_eq!(listener.first_by_key()["a"], (0..20).collect::<Vec<_>>());
}

/// More buckets and fewer, by the statements of the refusal itself.
#[tokio::test]
async fn another_number_of_buckets_is_refused_with_the_steps_and_these_lose_nothing() {
    let bench = Bench::new("rebucket").await;
    let mut config = bench.outbox_config();
    let mut listener = bench.listen();
    let mut rows = 0;
    for buckets in [8, 12, 3] {
        config.outboxes[0].buckets = buckets;
        if buckets != 8 {
            let refused = bench.start(&config).await;
            let waiting = refused.waiting_for("outboxes").await;
            assert!(waiting.contains("stop all its sidecars"), "{waiting}");
            refused.stop().await;
            let (code, text) = check(&bench, &config).await;
            assert_eq!(code, 64, "{text}");
            bench.client.batch_execute(&statements(&text).join("\n")).await.unwrap();
            // Told by the next check, as the indexes have gone with the column.
            let (_, text) = check(&bench, &config).await;
            bench.client.batch_execute(&statements(&text).join("\n")).await.unwrap();
            let (code, text) = check(&bench, &config).await;
            assert_eq!(code, 0, "{text}");
        }
        let sidecar = bench.start(&config).await;
        for number in rows..rows + 30 {
            bench.add(&format!("k{}", number % 20), number).await;
        }
        rows += 30;
        sidecar.wake().await;
        listener.wait_for(rows as usize).await;
        sidecar.stop().await;
    }
    assert!(listener.first_by_key().values().all(|numbers| numbers.is_sorted()));
}

/// Each would delete rows that the other has not published.
#[tokio::test]
async fn a_table_that_another_outbox_publishes_is_refused_until_that_one_is_gone() {
    let bench = Bench::prepared("sole").await;
    let config = bench.outbox_config();
    let first = bench.start(&config).await;
    let marked = "SELECT FROM outbox_sidecar.relay WHERE published_table = 'outbox'::regclass";
    wait::until("the first has said which table it publishes", PATIENCE, || async {
        bench.client.query_opt(marked, &[]).await.unwrap()
    })
    .await;
    let mut other = config.clone();
    other.outboxes[0].name = "others".into();
    let second = bench.start_another(&other).await;
    let refused = wait::until("the second is refused", PATIENCE, || async {
        Some(second.status().await["outboxes"]["others"]["waitingFor"].as_str()?.to_owned())
    })
    .await;
    assert!(refused.contains("published as outbox `things` too"), "{refused}");
    first.stop().await;
    bench.add("a", 1).await;
    bench.listen().wait_for(1).await;
}

#[tokio::test]
async fn a_database_that_is_away_is_no_finding() {
    let bench = Bench::new("checkaway").await;
    let file = file(&bench, &bench.outbox_config());
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_outbox-sidecar"))
        .args(["check", &file, "--database"])
        .env("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("cannot connect to the database"), "{text}");
}
