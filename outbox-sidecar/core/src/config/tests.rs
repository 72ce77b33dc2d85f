use super::*;

const MINIMAL: &str = "\
database:
  url: { env: DATABASE_URL }
kafka:
  bootstrapServers: [\"127.0.0.1:9092\"]
outboxes:
  - name: orders
    table: outbox
    topic: order_payment_tasks
inboxes:
  - name: updates
    table: inbox
    topics: [payment_status_updates]
    consumerGroup: orders
    deliver: { url: \"http://127.0.0.1:8091/inbox\" }
";

fn error(yaml: &str) -> String {
    Config::parse(yaml).unwrap_err().to_string()
}

#[test]
fn the_least_configuration_gets_defaults_and_survives_a_round_trip() {
    let config = Config::parse(MINIMAL).unwrap();
    assert_eq!(config.outboxes[0].buckets, 8);
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9100");
    assert_eq!(config.topics.partitions, 6);
    assert_eq!(Config::parse(&config.to_json().unwrap()).unwrap(), config);
}

#[test]
fn an_unknown_field_is_named_with_its_place_and_the_nearest_valid_one() {
    let yaml = MINIMAL.replace("    topic: order", "    bukets: 4\n    topic: order");
    let error = Config::parse(&yaml).unwrap_err();
    assert_eq!(error.to_string(), "8:5: unknown field `bukets`; did you mean `buckets`?");
    assert_eq!(error.line_and_column(), Some((8, 5)));
}

#[test]
fn an_unknown_value_is_named_with_the_nearest_valid_one() {
    let yaml = MINIMAL.replace("    topic: order", "    engine: apend\n    topic: order");
    assert!(
        error(&yaml).ends_with("unknown value `apend`; did you mean `append`?"),
        "{}",
        error(&yaml)
    );
}

#[test]
fn a_value_of_the_wrong_form_says_where_and_what_is_expected() {
    let yaml = MINIMAL.replace("    topic: order", "    lease: soon\n    topic: order");
    let message = error(&yaml);
    assert!(message.starts_with("8:12: `soon` is not a duration such as 500ms"), "{message}");
    let message = error(&MINIMAL.replace("table: outbox", "table: a.b.c"));
    assert!(message.contains("`a.b.c` is not a valid table name"), "{message}");
}

#[test]
fn a_missing_field_is_named() {
    let message = error(&MINIMAL.replace("    topic: order_payment_tasks\n", ""));
    assert!(message.ends_with("`topic` is missing"), "{message}");
}

#[test]
fn what_fields_alone_cannot_say_is_checked_too() {
    let cases = [
        (
            MINIMAL.replace("127.0.0.1:9092", "127.0.0.1"),
            "kafka.bootstrapServers[0]: `127.0.0.1` is not host:port",
        ),
        (MINIMAL.replace("name: orders", "name: Orders!"), "outboxes[0].name: "),
        (
            MINIMAL.replace("[payment_status_updates]", "[]"),
            "inboxes[0].topics: name at least one topic",
        ),
        (MINIMAL.replace("http://", "ftp://"), "inboxes[0].deliver.url: "),
        (
            MINIMAL.replace(
                "[\"127.0.0.1:9092\"]",
                "[\"127.0.0.1:9092\"]\n  properties: { acks: \"1\" }",
            ),
            "kafka.properties.acks: may not be set: ",
        ),
        (
            MINIMAL.replace(
                "inboxes:",
                "  - name: again\n    table: outbox\n    topic: other\ninboxes:",
            ),
            "outboxes[1].table: `outbox` is the table of `orders` too",
        ),
        (
            MINIMAL.replace(
                "topic: order_payment_tasks",
                "topic: order_payment_tasks\n    delivery: transactional\n    buckets: 65",
            ),
            "outboxes[0].buckets: must be at most 64 with `delivery: transactional`",
        ),
        (
            MINIMAL.replace(
                "topic: order_payment_tasks",
                "topic: order_payment_tasks\n    transactionalIdPrefix: a b",
            ),
            "outboxes[0].transactionalIdPrefix: use 1 to 100 letters",
        ),
        (
            "database: {url: {env: A}}\nkafka: {bootstrapServers: ['a:1']}".to_owned(),
            "outboxes: there is neither",
        ),
    ];
    for (yaml, start) in cases {
        let message = error(&yaml);
        assert!(message.starts_with(start), "{message} does not start with {start}");
    }
}

#[test]
fn a_secret_in_the_file_itself_is_refused_and_not_repeated() {
    let inline =
        "a secret may not stand here itself; write { env: NAME } or { file: PATH }, or in a Relay";
    for (value, problem) in [
        ("postgresql://user:hunter2@host/db", inline),
        ("hunter2", inline),
        ("73571113", inline),
        ("[hunter2]", inline),
        ("{ postgresql://hunter2@host: }", inline),
        ("{ password: hunter2 }", "unknown field `password`"),
        (
            "{ secret: hunter2 }",
            "a secret may not stand here itself; write { name: NAME, key: KEY }",
        ),
        ("{ env: postgresql://user:hunter2@host/db }", "use the name of an environment variable"),
    ] {
        let error = Config::parse(&MINIMAL.replace("{ env: DATABASE_URL }", value)).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(problem), "{value}: {message}");
        assert!(!message.contains("hunter2") && !message.contains("73571113"), "{message}");
        assert!(!error.may_quote() || error.line_and_column().is_none(), "{value}: {message}");
    }
}

#[test]
fn a_misspelt_reference_is_named_with_the_nearest_valid_one() {
    let cases = [
        ("{ evn: A }", "unknown field `evn`; did you mean `env`?"),
        ("{ secrets: { name: a, key: b } }", "unknown field `secrets`; did you mean `secret`?"),
        (
            "{ configmap: { name: a, key: b } }",
            "unknown field `configmap`; did you mean `configMap`?",
        ),
        ("{ secret: { nam: a, key: b } }", "unknown field `nam`; did you mean `name`?"),
        ("{ secret: { name: a } }", "`key` is missing"),
        ("{ env: A, file: /b }", "give only one of env, file, secret, configMap"),
    ];
    for (value, end) in cases {
        let message = error(&MINIMAL.replace("{ env: DATABASE_URL }", value));
        assert!(message.ends_with(end), "{message}");
    }
    let yaml = MINIMAL.replace("kafka:", "  caFile: /ca.pem\nkafka:");
    assert!(
        error(&yaml).ends_with("unknown field `caFile`; did you mean `ca`?"),
        "{}",
        error(&yaml)
    );
}

/// The outbox of a configuration that says no more of it than this.
fn outbox(fields: &str) -> Result<Outbox, String> {
    let yaml = MINIMAL.replace("    topic: order_payment_tasks\n", fields);
    let config = Config::parse(&yaml).map_err(|error| error.to_string())?;
    assert_eq!(
        Config::parse(&config.to_json().unwrap()).unwrap(),
        config,
        "it survives a round trip"
    );
    Ok(config.outboxes.into_iter().next().unwrap())
}

#[test]
fn a_preset_sets_defaults_and_every_field_may_still_be_given() {
    let plain = outbox("    preset: debezium\n").unwrap();
    assert_eq!(plain.engine(), Engine::Claim);
    assert_eq!(plain.topic().to_string(), "outbox.event.{aggregatetype}");
    let columns = plain.columns();
    assert_eq!((columns.key.as_str(), columns.position.as_str()), ("aggregateid", "position"));
    assert_eq!((&columns.headers, &columns.created_at, &columns.bucket), (&None, &None, &None));
    assert_eq!(plain.claim(), Claim::default());

    let given = outbox(
        "    preset: openOutbox\n    topic: all\n    columns: { key: ordering_key, headers: null }\n    \
         claim: { onPublished: delete, publishedAt: null }\n",
    )
    .unwrap();
    assert_eq!(given.topic().to_string(), "all");
    let columns = given.columns();
    assert_eq!((columns.key.as_str(), &columns.headers), ("ordering_key", &None));
    assert_eq!(columns.id.unwrap().as_str(), "event_id");
    let claim = given.claim();
    assert_eq!((claim.on_published, claim.published_at), (OnPublished::Delete, None));
    assert_eq!(claim.status.unwrap().pending, ["PENDING"]);
}

#[test]
fn fields_that_do_not_go_together_are_said_with_what_to_write() {
    let topic = |fields: &str| outbox(&format!("    topic: x\n{fields}")).unwrap_err();
    for (fields, start) in [
        ("    claim: { publishedAt: at }\n", "outboxes[0].claim: is for `engine: claim`"),
        (
            "    columns: { bucket: null }\n",
            "outboxes[0].columns.bucket: `append` needs the column",
        ),
        (
            "    engine: claim\n    columns: { id: null }\n",
            "outboxes[0].columns.id: `claim` needs it",
        ),
        (
            "    engine: claim\n    claim: { onPublished: mark }\n",
            "outboxes[0].claim: to mark rows",
        ),
        (
            "    engine: claim\n    claim: { status: { column: s, pending: [a], published: a } }\n",
            "outboxes[0].claim.status.published: is a value of `pending` too",
        ),
        (
            "    engine: claim\n    claim: { status: { column: s, pending: ['a\\b'], published: c } }\n",
            "outboxes[0].claim.status: a value holds a backslash",
        ),
        (
            "    payload: { format: cloudEventsBinary }\n    columns: { type: null }\n",
            "outboxes[0].columns.type: a CloudEvent needs a type",
        ),
        (
            "    payload: { source: /x }\n",
            "outboxes[0].payload.source: is for `format: cloudEvents",
        ),
        (
            "    payload: { envelope: { a: b } }\n",
            "outboxes[0].payload.envelope: is for `format: json`",
        ),
        (
            "    recordTime: createdAt\n    columns: { createdAt: null }\n",
            "outboxes[0].recordTime: `createdAt` needs `columns.createdAt`",
        ),
    ] {
        let message = topic(fields);
        assert!(message.starts_with(start), "{message} does not start with {start}");
    }
}

const FEED: &str = "\
kafka:
  bootstrapServers: [\"127.0.0.1:9092\"]
inboxes:
  - name: feed
    table: none
    topics: [payment_status_updates]
    deliver: { url: \"http://127.0.0.1:8091/inbox\" }
";

#[test]
fn a_feed_needs_neither_a_database_nor_a_group() {
    let config = Config::parse(FEED).unwrap();
    let Inbox::Broadcast(feed) = &config.inboxes[0] else { panic!("it is one: {config:?}") };
    assert_eq!(feed.deliver.give_up_after, Period::from_secs(30));
    assert_eq!(feed.deliver.requests.timeout, Period::from_secs(5));
    assert_eq!(feed.deliver.requests.maximum_backoff, Period::from_secs(1));
    assert_eq!(config.stored_inboxes().count(), 0);
    assert_eq!(Config::parse(&config.to_json().unwrap()).unwrap(), config);
}

#[test]
fn what_makes_no_sense_without_a_table_or_with_one_is_refused() {
    let with =
        |field: &str| FEED.replace("    table: none\n", &format!("    table: none\n    {field}\n"));
    let delivering = |field: &str| FEED.replace("inbox\" }", &format!("inbox\", {field} }}"));
    for (yaml, problem) in [
        (
            with("consumerGroup: g"),
            "inbox `feed`: `consumerGroup` makes no sense with `table: none`, as every sidecar reads everything",
        ),
        (
            with("retention: 1d"),
            "`retention` makes no sense with `table: none`, as nothing is kept",
        ),
        (
            delivering("maximumAttempts: 3"),
            "`deliver.maximumAttempts` makes no sense with `table: none`",
        ),
        (
            delivering("maximumCrashes: 0"),
            "`deliver.maximumCrashes` makes no sense with `table: none`",
        ),
        (
            delivering("deadLetterTopic: x"),
            "`deliver.deadLetterTopic` makes no sense with `table: none`, as there are no dead letters",
        ),
        (delivering("giveUpAfter: 0s"), "inboxes[0].deliver.giveUpAfter: must be at least 1ms"),
        (
            MINIMAL.replace("inbox\" }", "inbox\", giveUpAfter: 1m }"),
            "inbox `updates`: `deliver.giveUpAfter` makes no sense with a table, which loses nothing",
        ),
        (MINIMAL.replace("    consumerGroup: orders\n", ""), "`consumerGroup` is missing"),
        (
            MINIMAL.replace("database:\n  url: { env: DATABASE_URL }\n", ""),
            "database: is missing, and outbox `orders` has a table",
        ),
        (
            format!("database: {{ url: {{ env: URL }} }}\n{FEED}"),
            "database: there is no outbox, and no inbox with a table, so nothing to use it for",
        ),
    ] {
        let message = error(&yaml);
        assert!(message.contains(problem), "{message} does not contain {problem}");
    }
}
