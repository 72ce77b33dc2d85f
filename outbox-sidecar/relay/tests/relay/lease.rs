//! Leases that pass between relays in the middle of a chunk.

use std::time::Duration;

use outbox_sidecar::{error::Error, outbox::lease::Leases};
use outbox_sidecar_core::{lease::Lease, share::RelayId};

use test_support::{process::Signal, wait};

use crate::harness::{Bench, PATIENCE, pool};

#[tokio::test]
async fn a_lease_lost_and_taken_back_does_not_turn_the_cursor_back() {
    let bench = Bench::new("regained").await;
    let pool = pool(&bench);
    outbox_sidecar::database::prepare(&pool).await.unwrap();
    let open = || Leases::open(pool.clone(), "things", 2, Duration::from_secs(5));
    let mut first = open().await.unwrap();
    assert_eq!(first.acquire().await.unwrap(), 2);
    let before = first.lanes().remove(0);
    let early = before.cursor.advance(&"50:50:".parse().unwrap(), Some(1), true);

    // The first is stopped for so long that its leases expire.
    bench
        .client
        .execute("UPDATE outbox_sidecar.cursor SET expires_at = now() - interval '1 second'", &[])
        .await
        .unwrap();
    bench
        .client
        .batch_execute("UPDATE outbox_sidecar.relay SET expires_at = now() - interval '1 second'")
        .await
        .unwrap();
    let mut second = open().await.unwrap();
    assert_eq!(second.acquire().await.unwrap(), 2);
    let late = before.cursor.advance(&"90:90:".parse().unwrap(), Some(9), true);
    second.advance(&second.lanes().remove(0), &late, None).await.unwrap();
    second.release().await.unwrap();

    assert_eq!(first.acquire().await.unwrap(), 2);
    let stale = first.advance(&before, &early, None).await;
    assert!(matches!(stale, Err(Error::LeaseLost { .. })), "{stale:?}");
    assert_eq!(first.lanes()[0].cursor, late);
}

#[tokio::test]
async fn leases_are_renewed_before_they_expire_while_a_backlog_is_published() {
    let bench = Bench::new("renewed").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].chunk.rows = 10;
    // Long enough for a machine that is busy with other tests, short enough to pass several times.
    config.outboxes[0].lease = "3s".parse().unwrap();
    // Two lanes: one bucket is elsewhere in the table.
    let sidecar = bench.start(&config).await;
    bench.add("a", 0).await;
    bench.listen().wait_for(1).await;
    sidecar.stop().await;
    bench
        .client
        .batch_execute(
            "UPDATE outbox_sidecar.cursor SET published = '3:3:' WHERE bucket = 0;
             INSERT INTO outbox (aggregate_id, payload)
             SELECT 'k' || n % 50, jsonb_build_object('number', n) FROM generate_series(1, 8000) AS n;
             CREATE TABLE lapse (number bigint GENERATED ALWAYS AS IDENTITY);
             CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF OLD.owner = NEW.owner AND OLD.expires_at < clock_timestamp() THEN
                     INSERT INTO lapse DEFAULT VALUES;
                 END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER watch BEFORE UPDATE ON outbox_sidecar.cursor FOR EACH ROW EXECUTE FUNCTION watch()",
        )
        .await
        .unwrap();
    let _sidecar = bench.start(&config).await;
    bench.listen().wait_for(8_001).await;
    let lapses: i64 =
        bench.client.query_one("SELECT count(*) FROM lapse", &[]).await.unwrap().get(0);
    assert_eq!(lapses, 0);
}

#[tokio::test]
async fn a_relay_that_stands_still_while_it_stores_a_cursor_keeps_no_bucket() {
    let bench = Bench::new("stillstand").await;
    let mut config = bench.outbox_config();
    config.outboxes[0].lease = "1s".parse().unwrap();
    let first = bench.start(&config).await;
    first.holds(8).await;
    // Time to stop it between this statement and the commit.
    bench
        .client
        .batch_execute(
            "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_sleep(1); RETURN NEW;
             END $$;
             CREATE TRIGGER linger BEFORE UPDATE OF published ON outbox_sidecar.cursor
                 FOR EACH STATEMENT EXECUTE FUNCTION linger()",
        )
        .await
        .unwrap();
    bench.add("a", 1).await;
    let storing = "SELECT 1 FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event = 'PgSleep'";
    wait::until("the cursor is being stored", PATIENCE, || async {
        bench.client.query_opt(storing, &[]).await.unwrap()
    })
    .await;
    first.process.signal(Signal::STOP);
    let second = bench.start_another(&config).await;
    second.holds(8).await;
    bench.add("a", 2).await;
    let mut listener = bench.listen();
    listener.wait_for(2).await;
    assert_eq!(listener.first_by_key()["a"], [1, 2]);
}

/// The rules that the model checker has proved are those that the SQL follows.
#[tokio::test]
async fn who_may_take_and_who_may_write_is_as_the_core_says() {
    let bench = Bench::new("rules").await;
    let pool = pool(&bench);
    outbox_sidecar::database::prepare(&pool).await.unwrap();
    let mut leases = Leases::open(pool, "things", 1, Duration::from_secs(3600)).await.unwrap();
    assert_eq!(leases.acquire().await.unwrap(), 1);
    let sql = "SELECT owner, epoch FROM outbox_sidecar.cursor";
    let row = bench.client.query_one(sql, &[]).await.unwrap();
    let (me, mut epoch): (RelayId, i64) = (row.get(0), row.get(1));
    let other = RelayId::from_u128(7);
    let set = async |owner: Option<RelayId>, epoch: i64, expired: bool| {
        let sql = "UPDATE outbox_sidecar.cursor SET owner = $1, epoch = $2,
                   expires_at = CASE WHEN $1::uuid IS NULL THEN NULL
                                     ELSE now() + CASE WHEN $3 THEN -1 ELSE 1 END * interval '1 hour' END";
        bench.client.execute(sql, &[&owner, &epoch, &expired]).await.unwrap();
    };
    for owner in [None, Some(me), Some(other)] {
        for expired in [false, true] {
            for newer in [0, 1] {
                // As the relay last saw it.
                set(Some(me), epoch, false).await;
                leases.reload().await.unwrap();
                let lane = leases.lanes().remove(0);
                let lease = Lease {
                    bucket: 0,
                    owner,
                    epoch: epoch + newer,
                    expired: owner.is_some() && expired,
                };
                set(owner, lease.epoch, expired).await;
                let written = leases.advance(&lane, &lane.cursor.clone(), None).await.is_ok();
                assert_eq!(written, lease.may_write(me, epoch), "{lease:?}");
                set(owner, lease.epoch, expired).await;
                let held = leases.acquire().await.unwrap();
                assert_eq!(held == 1, owner == Some(me) || lease.may_take(), "{lease:?}");
                epoch += 2;
            }
        }
    }
}
