//! How often cursors are stored, and what that may not change.

use std::time::Instant;

use crate::harness::{Bench, Listener, Sidecar};

/// How often the database has stored a cursor since this was called.
async fn count_stores(bench: &Bench) {
    let sql = "CREATE SEQUENCE stores;
               CREATE FUNCTION count_store() RETURNS trigger LANGUAGE plpgsql AS
               $$ BEGIN PERFORM nextval('stores'); RETURN NULL; END $$;
               CREATE TRIGGER count_store AFTER UPDATE OF published ON outbox_sidecar.cursor
               FOR EACH STATEMENT EXECUTE FUNCTION count_store()";
    bench.client.batch_execute(sql).await.unwrap();
}

async fn stores(bench: &Bench) -> u128 {
    let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM stores";
    bench.client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0).try_into().unwrap()
}

/// Every row is waited for, so that each is a chunk of its own.
async fn add_one_by_one(bench: &Bench, sidecar: &Sidecar, listener: &mut Listener, count: i32) {
    for number in 0..count {
        bench.add("k", number).await;
        sidecar.wake().await;
        listener.wait_for(usize::try_from(number).unwrap() + 1).await;
    }
}

/// Each leaves dead versions of its rows, which cannot be cleared away while an older transaction
/// is open, and every other has to pass by all of them.
#[tokio::test]
async fn cursors_are_stored_no_oftener_than_the_rest_between_them_allows() {
    let bench = Bench::new("stores").await;
    let sidecar = bench.start(&bench.impatient_config()).await;
    sidecar.holds(8).await;
    count_stores(&bench).await;
    let mut listener = bench.listen();
    let started = Instant::now();
    add_one_by_one(&bench, &sidecar, &mut listener, 200).await;
    let (stored, lasted) = (stores(&bench).await, started.elapsed().as_millis());
    // Besides, one for each renewal of the leases, which come seconds apart.
    let allowed = lasted / 50 + lasted / 1_000 + 2;
    assert!((1..=allowed).contains(&stored), "{stored} in {lasted} ms");
}

#[tokio::test]
async fn a_stop_stores_the_cursor_of_all_that_is_published() {
    let bench = Bench::new("stop").await;
    let config = bench.impatient_config();
    let sidecar = bench.start(&config).await;
    let mut listener = bench.listen();
    add_one_by_one(&bench, &sidecar, &mut listener, 20).await;
    sidecar.stop().await;
    bench.add("k", 20).await;
    let _next = bench.start(&config).await;
    listener.wait_for(21).await;
    assert_eq!(listener.received.len(), 21, "nothing is there twice");
}
