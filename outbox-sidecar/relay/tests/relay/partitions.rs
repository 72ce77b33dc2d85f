//! An outbox table by days: partitions are made ahead of time and dropped when
//! their rows are old and published.

use outbox_sidecar::outbox::partitions::{Rotation, rotate};
use outbox_sidecar_core::{config::Outbox, partition::days_ahead};
use test_support::{postgres::Cluster, wait};
use tokio_postgres::Client;

use crate::harness::{Bench, PATIENCE, insert, pool};

/// The harness's outbox, by days and with a DEFAULT partition only.
const PARTITIONED: &str = "
DROP TABLE outbox;
CREATE TABLE outbox (
    position       bigint GENERATED ALWAYS AS IDENTITY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    bucket         smallint NOT NULL GENERATED ALWAYS AS ((hashtext(aggregate_id) & 2147483647) % 8) STORED,
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    aggregate_type text NOT NULL DEFAULT 'thing',
    aggregate_id   text NOT NULL,
    type           text NOT NULL DEFAULT 'thing.happened',
    payload        jsonb,
    headers        jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (position, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX ON outbox (bucket, xid);
CREATE INDEX ON outbox (bucket, position);
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;
";

async fn bench(label: &str) -> Bench {
    partitioned(Bench::new(label).await).await
}

async fn partitioned(bench: Bench) -> Bench {
    bench.client.batch_execute(PARTITIONED).await.unwrap();
    bench
}

async fn partitions(client: &Client) -> Vec<String> {
    let sql = "SELECT inhrelid::regclass::text FROM pg_inherits
               WHERE inhparent = 'outbox'::regclass ORDER BY 1";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The DEFAULT partition, and those of today and the coming days.
fn expected(outbox: &Outbox) -> Vec<String> {
    let mut names = vec!["outbox_default".to_owned()];
    let days = days_ahead(jiff::Timestamp::now());
    names.extend(days.map(|day| day.partition(&outbox.table).to_string()));
    names
}

async fn rows(client: &Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn partitions_are_made_ahead_while_rows_are_published_from_all_of_them() {
    let bench = bench("partahead").await;
    let mut config = bench.outbox_config();
    // Several chunks, so that open windows are read from partitions too.
    config.outboxes[0].chunk.rows = 5;
    // There already, and so in the way of today's partition.
    bench.add("a", 1).await;
    let _sidecar = bench.start(&config).await;
    let today = expected(&config.outboxes[0]).remove(1);
    let made = wait::until("partitions are made", PATIENCE, || async {
        let made = partitions(&bench.client).await;
        (made.len() >= 4).then_some(made)
    })
    .await;
    let mut coming = expected(&config.outboxes[0]);
    coming.retain(|name| *name != today);
    assert_eq!(made, coming, "all but today's, whose rows are in the DEFAULT one");
    for number in 2..=40 {
        bench.add("a", number).await;
    }
    // As on the days to come.
    bench
        .client
        .execute(
            "INSERT INTO outbox (aggregate_id, payload, created_at)
             SELECT 'a', jsonb_build_object('number', 40 + n), now() + n * interval '1 day'
             FROM generate_series(1, 3) AS n",
            &[],
        )
        .await
        .unwrap();
    let mut listener = bench.listen();
    listener.wait_for(43).await;
    assert_eq!(listener.first_by_key()["a"], (1..=43).collect::<Vec<_>>());
    assert_eq!(rows(&bench.client, "outbox_default").await, 40);
}

#[tokio::test]
async fn two_replicas_at_once_do_no_harm() {
    let bench = bench("parttwo").await;
    let config = bench.outbox_config();
    let pool = pool(&bench);
    outbox_sidecar::database::prepare(&pool).await.unwrap();
    let rotate = || rotate(&pool, &config.outboxes[0]);
    let (one, other) = tokio::join!(rotate(), rotate());
    let fine =
        Rotation { remainder: "public.outbox_default".parse().unwrap(), dropped: 0, problem: None };
    assert_eq!((one.unwrap(), other.unwrap()), (fine.clone(), fine));
    wait::until("every partition is there", PATIENCE, || async {
        rotate().await.unwrap();
        (partitions(&bench.client).await == expected(&config.outboxes[0])).then_some(())
    })
    .await;
    bench.add("a", 1).await;
    assert_eq!(
        rows(&bench.client, "outbox_default").await,
        0,
        "rows are in the partition of their day"
    );
}

#[tokio::test]
async fn an_old_partition_is_dropped_only_once_every_row_in_it_is_published() {
    // A server of its own: what other tests leave open holds the horizon too.
    let cluster = Cluster::temporary().await.unwrap();
    let bench = partitioned(Bench::on(&cluster, "partdrop").await).await;
    let mut config = bench.outbox_config();
    config.outboxes[0].retention = "1d".parse().unwrap();
    let pool = pool(&bench);
    bench
        .client
        .batch_execute(
            "CREATE TABLE outbox_p20200101 PARTITION OF outbox
                 FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')",
        )
        .await
        .unwrap();
    let old = "INSERT INTO outbox (aggregate_id, payload, created_at)
               VALUES ('a', jsonb_build_object('number', $1::int4), '2020-01-01 12:00:00+00')";
    bench.client.execute(old, &[&1]).await.unwrap();
    // A transaction of long ago that is still to commit a row of that day.
    let mut slow = bench.database.connect().await.unwrap();
    let transaction = slow.transaction().await.unwrap();
    transaction.execute(old, &[&2]).await.unwrap();
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    listener.wait_for(1).await;
    sidecar.stop().await;
    let outbox = &config.outboxes[0];
    assert_eq!(rotate(&pool, outbox).await.unwrap().dropped, 0);
    transaction.commit().await.unwrap();
    assert_eq!(rotate(&pool, outbox).await.unwrap().dropped, 0, "it is not published yet");
    assert_eq!(rows(&bench.client, "outbox_p20200101").await, 2);

    let sidecar = bench.start(&config).await;
    listener.wait_for(2).await;
    sidecar.stop().await;
    let give_up = "INSERT INTO outbox_sidecar.dead_letter (outbox, position, reason)
                   SELECT 'things', min(position), 'a test' FROM outbox_p20200101";
    bench.client.execute(give_up, &[]).await.unwrap();
    assert_eq!(rotate(&pool, outbox).await.unwrap().dropped, 0, "a dead letter is in it");
    bench.client.execute("DELETE FROM outbox_sidecar.dead_letter", &[]).await.unwrap();
    rotate(&pool, outbox).await.unwrap();
    let left = partitions(&bench.client).await;
    assert!(!left.contains(&"outbox_p20200101".to_owned()), "{left:?}");
    assert_eq!(rows(&bench.client, "outbox").await, 0);
}

#[tokio::test]
async fn a_sidecar_that_may_not_make_partitions_says_so_and_producers_go_on() {
    let bench = bench("partrights").await;
    let config = bench.outbox_config();
    let admin = bench.database.connect_admin().await.unwrap();
    // The table is somebody else's; the sidecar may read and delete.
    let name = bench.database.name();
    admin
        .batch_execute(&format!(
            "ALTER TABLE outbox OWNER TO postgres; ALTER TABLE outbox_default OWNER TO postgres;
             GRANT SELECT, INSERT, DELETE ON outbox TO \"{name}\""
        ))
        .await
        .unwrap();
    let sidecar = bench.start(&config).await;
    insert(&bench.client, "a", 1).await;
    bench.listen().wait_for(1).await;
    wait::until("the log says what is missing", PATIENCE, || async {
        sidecar.process.tail(100).contains("GRANT postgres to the sidecar's user").then_some(())
    })
    .await;
    assert_eq!(partitions(&bench.client).await, ["outbox_default"]);
}
