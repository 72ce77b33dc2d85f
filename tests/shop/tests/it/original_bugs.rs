//! One test for each bug of the system this one replaces, with its number in
//! the list of `docs/original-bugs.md`.

use std::{collections::HashSet, time::Duration};

use futures::future::join_all;
use rdkafka::{
    TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
};
use reqwest::Method;
use test_support::{shop::ShopOptions, wait};
use uuid::Uuid;

use crate::shop::{PATIENCE, TASKS, TestShop, UPDATES, header, number};

#[tokio::test]
async fn bug_01_an_order_of_an_unknown_account_is_cancelled_and_not_stuck() {
    let shop = TestShop::start().await;
    let order = shop.order(404, "10").await;
    assert_eq!(shop.settled(order).await, ("CANCELLED".into(), Some("account_not_found".into())));
}

#[tokio::test]
async fn bug_02_an_amount_of_a_million_or_more_is_paid_or_cancelled_like_any_other() {
    let shop = TestShop::start().await;
    shop.open_account(1, "999999999999999.9999").await;
    shop.open_account(2, "1").await;
    let (rich, poor) = (shop.order(1, "1000000.0001").await, shop.order(2, "1000000").await);
    assert_eq!(shop.settled(rich).await.0, "FINISHED");
    assert_eq!(shop.settled(poor).await, ("CANCELLED".into(), Some("insufficient_funds".into())));
    assert_eq!(shop.balance(1).await, "999999998999999.9998");
}

#[tokio::test]
async fn bug_03_a_passing_database_error_in_a_handler_skips_no_message() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let payments = shop.database("payments").await;
    payments.batch_execute("ALTER TABLE payments RENAME TO payments_away").await.unwrap();
    let order = shop.order(1, "3").await;
    wait::until("the payment fails at least once", PATIENCE, || async {
        (shop.metric("payments-sidecar", "outbox_sidecar_inbox_parked_keys").await >= 1.0)
            .then_some(())
    })
    .await;
    payments.batch_execute("ALTER TABLE payments_away RENAME TO payments").await.unwrap();
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    assert_eq!(shop.balance(1).await, "7");
}

#[tokio::test]
async fn bug_04_a_row_counts_as_published_only_when_the_broker_has_it() {
    let shop = TestShop::with(ShopOptions {
        postgres: ShopOptions::on_shared_servers().await.postgres,
        ..ShopOptions::default()
    })
    .await;
    shop.open_account(1, "10").await;
    shop.shop.part("kafka").unwrap().kill().await;
    let order = shop.order(1, "3").await;
    // The sidecar is killed too: nothing may be remembered in memory only.
    shop.shop.part("orders-sidecar").unwrap().restart().await.unwrap();
    shop.shop.part("kafka").unwrap().start().await.unwrap();
    assert_eq!(shop.settled(order).await.0, "FINISHED");
}

#[tokio::test]
async fn bug_05_a_commit_that_fails_is_an_error_and_never_a_201() {
    let shop = TestShop::start().await;
    let orders = shop.database("orders").await;
    orders
        .batch_execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused at commit'; END $$;
             CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await
        .unwrap();
    let answer = shop.send(Method::POST, "/orders", r#"{"user_id":1,"amount":1}"#).await;
    answer.assert_problem(500, "");
    assert!(!answer.text.contains("refused at commit"), "internals stay inside: {answer:?}");
    assert_eq!(shop.get("/orders").await.text, "[]");
}

#[tokio::test]
async fn bug_06_poison_rows_do_not_block_the_outbox() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let orders = shop.database("orders").await;
    orders
        .execute(
            "INSERT INTO outbox (id, aggregate_type, aggregate_id, type, payload, headers)
             SELECT gen_random_uuid(), 'order', 'poison-' || n, 'order.payment_requested', '{}', '[\"no object\"]'
             FROM generate_series(1, 150) AS n",
            &[],
        )
        .await
        .unwrap();
    let order = shop.order(1, "1").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    let dead: i64 = orders
        .query_one("SELECT count(*) FROM outbox_sidecar.dead_letter", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(dead, 150, "and each is kept with its reason");
}

#[tokio::test]
async fn bug_07_a_message_that_cannot_be_parsed_is_kept_and_holds_up_nothing() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let garbage = [
        shop.produce(TASKS, "x", "order.payment_requested", b"\xff not json").await,
        shop.produce(TASKS, "x", "order.payment_requested", br#"{"order_id":"no uuid"}"#).await,
        shop.produce(TASKS, "x", "order.exploded", b"{}").await,
    ];
    let order = shop.order(1, "1").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    let payments = shop.database("payments").await;
    for id in garbage {
        let row = wait::until("the message is a dead letter", PATIENCE, || async {
            let dead = "SELECT last_error, payload FROM inbox WHERE message_id = $1 AND dead_at IS NOT NULL";
            payments.query_opt(dead, &[&id]).await.unwrap()
        })
        .await;
        assert!(!row.get::<_, &str>(0).is_empty(), "the reason is kept");
        assert!(!row.get::<_, &[u8]>(1).is_empty(), "and the message itself");
    }
}

#[tokio::test]
async fn bug_08_a_backlog_is_published_once_and_not_again_and_again() {
    let shop = TestShop::start().await;
    shop.open_account(1, "1000").await;
    shop.shop.part("orders-sidecar").unwrap().stop().await;
    let orders = join_all((0..100).map(|_| shop.order(1, "1"))).await;
    shop.shop.part("orders-sidecar").unwrap().start().await.unwrap();
    for order in &orders {
        assert_eq!(shop.settled(*order).await.0, "FINISHED");
    }
    let ids: HashSet<_> =
        shop.read(TASKS, 100).await.iter().map(|message| header(message, "id")).collect();
    assert_eq!(ids.len(), 100);
    assert_eq!(shop.metric("payments-sidecar", "outbox_sidecar_inbox_duplicates_total").await, 0.0);
}

#[tokio::test]
async fn bug_09_two_replicas_of_a_sidecar_do_not_publish_the_same_rows() {
    let shop =
        TestShop::with(ShopOptions { sidecars: 2, ..ShopOptions::on_shared_servers().await }).await;
    shop.open_account(1, "1000").await;
    let orders = join_all((0..100).map(|_| shop.order(1, "1"))).await;
    for order in &orders {
        assert_eq!(shop.settled(*order).await.0, "FINISHED");
    }
    let of_tasks = "outbox_sidecar_outbox_published_total{outbox=\"orders\"}";
    let published = shop.metric("orders-sidecar", of_tasks).await
        + shop.metric("orders-sidecar-2", of_tasks).await;
    assert_eq!(published, 100.0);
    let ids: HashSet<_> =
        shop.read(TASKS, 100).await.iter().map(|message| header(message, "id")).collect();
    assert_eq!(ids.len(), 100);
}

#[tokio::test]
async fn bug_10_a_duplicate_is_a_success_and_pays_once() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let order = Uuid::new_v4();
    let task = format!(r#"{{"amount":4,"user_id":1,"order_id":"{order}","description":""}}"#);
    let id = Uuid::new_v4();
    for _ in 0..3 {
        shop.produce_as(id, TASKS, &order.to_string(), "order.payment_requested", task.as_bytes())
            .await;
    }
    // The same order under another message id must not be paid again either.
    shop.produce(TASKS, &order.to_string(), "order.payment_requested", task.as_bytes()).await;
    wait::until("all four messages are done with", PATIENCE, || async {
        let payments = shop.database("payments").await;
        let done = "SELECT count(*) FROM inbox WHERE processed_at IS NOT NULL";
        (payments.query_one(done, &[]).await.unwrap().get::<_, i64>(0) == 2).then_some(())
    })
    .await;
    assert_eq!(shop.balance(1).await, "6");
    assert_eq!(shop.metric("payments-sidecar", "outbox_sidecar_inbox_duplicates_total").await, 2.0);
    let payments = shop.database("payments").await;
    let failures = "SELECT count(*) FROM inbox WHERE last_error IS NOT NULL";
    let failures: i64 = payments.query_one(failures, &[]).await.unwrap().get(0);
    assert_eq!(failures, 0, "and none of them is a failure");
}

#[tokio::test]
async fn bug_11_a_sidecar_that_stops_commits_what_it_has_taken() {
    let shop = TestShop::start().await;
    shop.open_account(1, "100").await;
    let orders = join_all((0..20).map(|_| shop.order(1, "1"))).await;
    for order in &orders {
        shop.settled(*order).await;
    }
    shop.shop.part("orders-sidecar").unwrap().stop().await;
    let consumer: BaseConsumer =
        shop.shop.kafka().client_config().set("group.id", shop.topic("orders")).create().unwrap();
    let topic = shop.topic(UPDATES);
    let mut partitions = TopicPartitionList::new();
    for partition in 0..6 {
        partitions.add_partition(&topic, partition);
    }
    let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
    for element in committed.elements() {
        let (_, end) = consumer.fetch_watermarks(&topic, element.partition(), PATIENCE).unwrap();
        let committed = element.offset().to_raw().unwrap_or_default().max(0);
        assert_eq!(committed, end, "partition {}", element.partition());
    }
}

#[tokio::test]
async fn bug_12_a_request_repeated_under_its_key_takes_effect_once() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let order = r#"{"user_id":1,"amount":4}"#;
    let first = shop.send_with_key(Method::POST, "/orders", order, Some("k1")).await;
    let again = shop.send_with_key(Method::POST, "/orders", order, Some("k1")).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    let other = shop
        .send_with_key(Method::POST, "/orders", r#"{"user_id":1,"amount":5}"#, Some("k1"))
        .await;
    other.assert_problem(409, "");
    assert_eq!(shop.get("/orders").await.json().as_array().unwrap().len(), 1);
    for _ in 0..2 {
        let answer = shop
            .send_with_key(Method::PATCH, "/users/1", r#"{"balance_change":100}"#, Some("k2"))
            .await;
        assert_eq!(answer.status, 200);
    }
    shop.settled(first.json()["id"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(shop.balance(1).await, "106");
}

#[tokio::test]
async fn bug_13_a_final_status_is_never_overwritten() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let order = shop.order(1, "4").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    let failed = format!(
        r#"{{"payment_id":"{order}","order_id":"{order}","user_id":1,"amount":4,"status":"FAILED",
            "timestamp":"2026-01-01T00:00:00Z","error":"insufficient_funds"}}"#
    );
    let id = shop.produce(UPDATES, &order.to_string(), "payment.failed", failed.as_bytes()).await;
    let orders = shop.database("orders").await;
    wait::until("the contradiction is set aside", PATIENCE, || async {
        orders
            .query_opt("SELECT 1 FROM inbox WHERE message_id = $1 AND dead_at IS NOT NULL", &[&id])
            .await
            .unwrap()
    })
    .await;
    assert_eq!(shop.settled(order).await, ("FINISHED".into(), None));
}

#[tokio::test]
async fn bug_14_reading_a_balance_waits_for_no_lock() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    let mut payments = shop.database("payments").await;
    let transaction = payments.transaction().await.unwrap();
    transaction.execute("UPDATE accounts SET balance = 0 WHERE user_id = 1", &[]).await.unwrap();
    assert_eq!(shop.balance(1).await, "10", "what was committed, at once");
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn bug_15_a_change_answers_with_the_balance_it_made() {
    let shop = TestShop::start().await;
    shop.open_account(1, "0").await;
    let answers =
        join_all((0..30).map(|_| shop.send(Method::PATCH, "/users/1", r#"{"balance_change":1}"#)))
            .await;
    let mut balances: Vec<u32> =
        answers.iter().map(|answer| number(&answer.text, "balance").parse().unwrap()).collect();
    balances.sort_unstable();
    assert_eq!(balances, (1..=30).collect::<Vec<_>>(), "each its own");
}

#[tokio::test]
async fn bug_16_money_is_exact_and_nothing_is_free() {
    let shop = TestShop::start().await;
    shop.open_account(1, "0.1").await;
    let answer = shop.send(Method::PATCH, "/users/1", r#"{"balance_change":0.2}"#).await;
    assert_eq!(number(&answer.text, "balance"), "0.3");
    shop.send(Method::POST, "/orders", r#"{"user_id":1,"amount":0.00004}"#)
        .await
        .assert_problem(400, "amount");
    let order = shop.order(1, "0.0001").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    assert_eq!(shop.balance(1).await, "0.2999");
}

#[tokio::test]
async fn bug_17_ids_and_sizes_are_checked() {
    let shop = TestShop::start().await;
    shop.send(Method::POST, "/users", r#"{"user_id":-5,"balance":1}"#)
        .await
        .assert_problem(400, "user_id");
    shop.get("/orders/17").await.assert_problem(400, "id");
    let description = "x".repeat(1_001);
    let long = format!(r#"{{"user_id":1,"amount":1,"description":"{description}"}}"#);
    shop.send(Method::POST, "/orders", &long).await.assert_problem(400, "description");
    let huge = format!(r#"{{"user_id":1,"amount":1,"description":"{}"}}"#, "x".repeat(200_000));
    shop.send(Method::POST, "/orders", &huge).await.assert_problem(413, "");
}

#[tokio::test]
async fn bug_18_a_broker_that_is_away_at_start_is_waited_for() {
    let shop = TestShop::with(ShopOptions {
        postgres: ShopOptions::on_shared_servers().await.postgres,
        ..ShopOptions::default()
    })
    .await;
    shop.open_account(1, "10").await;
    let kafka = shop.shop.part("kafka").unwrap();
    kafka.kill().await;
    let sidecars = ["orders-sidecar", "payments-sidecar"];
    for sidecar in sidecars {
        // Ready without the broker: it serves, and says what it waits for.
        shop.shop.part(sidecar).unwrap().restart().await.unwrap();
    }
    let order = shop.order(1, "3").await;
    wait::until("the sidecar says what it waits for", PATIENCE, || async {
        shop.admin("orders-sidecar", "/status").await.json()["outboxes"]["orders"]["waitingFor"]
            .as_str()
            .map(str::to_owned)
    })
    .await;
    kafka.start().await.unwrap();
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    for sidecar in sidecars {
        assert!(shop.shop.part(sidecar).unwrap().process().is_running());
    }
}

#[tokio::test]
async fn bug_19_everything_stops_when_asked_and_leaves_nothing_half_done() {
    let shop = TestShop::start().await;
    shop.open_account(1, "100").await;
    let orders = join_all((0..20).map(|_| shop.order(1, "1"))).await;
    let programs = ["gateway", "orders-sidecar", "payments-sidecar", "orders", "payments"];
    for program in programs {
        let status = shop.shop.part(program).unwrap().process().stop(Duration::from_secs(40)).await;
        assert!(status.success(), "{program} ends with {status}");
    }
    for program in programs.iter().rev() {
        shop.shop.part(program).unwrap().start().await.unwrap();
    }
    for order in orders {
        assert_eq!(shop.settled(order).await.0, "FINISHED");
    }
    assert_eq!(shop.balance(1).await, "80");
}

#[tokio::test]
async fn bug_20_topics_and_groups_are_named_in_one_place() {
    // This shop's topics and groups all carry a prefix, set in the sidecars'
    // configuration alone.
    let shop = TestShop::start().await;
    assert!(!shop.prefix.is_empty());
    shop.open_account(1, "10").await;
    let order = shop.order(1, "1").await;
    assert_eq!(shop.settled(order).await.0, "FINISHED");
    assert_eq!(shop.read(TASKS, 1).await.len(), 1);
    assert_eq!(shop.read(UPDATES, 1).await.len(), 1);
}

#[tokio::test]
async fn bug_21_a_service_that_hangs_is_a_504_and_one_that_is_away_a_503() {
    let options = ShopOptions::on_shared_servers().await.env("gateway", "UPSTREAM_TIMEOUT", "1s");
    let shop = TestShop::with(options).await;
    let orders = shop.shop.part("orders").unwrap();
    orders.process().signal(test_support::process::Signal::STOP);
    let hanging = shop.get("/orders").await;
    orders.process().signal(test_support::process::Signal::CONT);
    hanging.assert_problem(504, "");
    assert_eq!(
        (&hanging.json()["error"], &hanging.json()["code"]),
        (&"Gateway Timeout".into(), &504.into())
    );
    orders.kill().await;
    let away = shop.get("/orders").await;
    away.assert_problem(503, "");
    assert_eq!(
        (&away.json()["error"], &away.json()["code"]),
        (&"Service Unavailable".into(), &503.into())
    );
}

#[tokio::test]
async fn bug_22_every_part_tells_its_health_and_its_metrics() {
    let shop = TestShop::start().await;
    shop.open_account(1, "10").await;
    for program in ["gateway", "orders", "payments", "orders-sidecar", "payments-sidecar"] {
        for path in ["/healthz", "/readyz", "/metrics"] {
            let answer = shop.admin(program, path).await;
            assert_eq!(answer.status, 200, "{program}{path}: {answer:?}");
        }
    }
    assert!(shop.metric("gateway", "http_requests_total").await >= 1.0);
}

#[tokio::test]
async fn bug_23_lists_come_in_pages_that_miss_nothing() {
    let shop = TestShop::start().await;
    let placed: HashSet<String> =
        join_all((0..25).map(|_| shop.order(9, "1"))).await.iter().map(Uuid::to_string).collect();
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("/orders/user/9?limit=10{after}")).await.json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|order| order["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!((seen.len(), seen.into_iter().collect::<HashSet<_>>()), (25, placed));
}

#[tokio::test]
async fn bug_24_orders_do_not_queue_up_one_a_second() {
    let shop = TestShop::start().await;
    shop.open_account(1, "1000").await;
    // At one a second these would take longer than the patience of a wait.
    let orders = join_all((0..150).map(|_| shop.order(1, "1"))).await;
    wait::until("all are final", PATIENCE, || async {
        let listed = shop.get("/orders/user/1").await.json();
        let finished =
            listed.as_array()?.iter().filter(|order| order["status"] == "FINISHED").count();
        (finished == orders.len()).then_some(())
    })
    .await;
}
