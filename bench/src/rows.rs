//! The outbox that is drained: its table, and the rows in it.

use anyhow::Context as _;
use futures::future::try_join_all;
use outbox_sidecar_core::{config::Config, ddl};
use test_support::postgres::TestDatabase;
use tokio_postgres::Client;

/// Keys that rows are written for.
pub const KEYS: u32 = 5_000;

/// Sessions that fill a table.
const WRITERS: u32 = 4;

/// The procedure that fills a table commits each row by itself, as services do, only without
/// waiting for the disk. A key is written by one session only, so that its order is known.
const FILL: &str = "
CREATE PROCEDURE fill(writer int, writers int, total int, filler int) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', false);
    FOR n IN 0 .. total - 1 LOOP
        CONTINUE WHEN n % 5000 % writers <> writer;
        INSERT INTO outbox (id, aggregate_id, type, payload)
        VALUES (gen_random_uuid(), 'key-' || n % 5000, 'bench.happened',
                jsonb_build_object('number', n / 5000, 'filler', repeat('x', filler)));
        COMMIT;
    END LOOP;
END $$";

/// Makes the outbox of a configuration.
///
/// # Errors
/// The database refuses.
pub async fn make_table(client: &Client, config: &Config) -> anyhow::Result<()> {
    let outbox = config.outboxes.first().context("there is no outbox in the configuration")?;
    client.batch_execute(&ddl::outbox(outbox, false)).await.context("making the outbox")?;
    client.batch_execute(FILL).await.context("making the procedure that fills the outbox")
}

/// Fills the table `outbox` with `total` rows of [`KEYS`] keys, each committed by itself, with a
/// `payload` of about so many bytes, that has its number within its key.
///
/// # Errors
/// The database refuses.
pub async fn fill(database: &TestDatabase, total: u32, payload: u32) -> anyhow::Result<()> {
    let filler = i32::try_from(payload.saturating_sub(30))?;
    let (total, writers) = (i32::try_from(total)?, i32::try_from(WRITERS)?);
    let writer = |writer: i32| async move {
        let client = database.connect().await?;
        let call = format!("CALL fill({writer}, {writers}, {total}, {filler})");
        client.batch_execute(&call).await.context("filling the outbox")
    };
    try_join_all((0..writers).map(writer)).await?;
    // What a table at rest has: otherwise the first reader pays for the visibility of each row.
    let client = database.connect().await?;
    client.batch_execute("VACUUM (ANALYZE) outbox").await.context("vacuuming the outbox")
}

/// Row versions that nobody sees and vacuum has to clear away: what publishing must not make.
///
/// # Errors
/// The database refuses.
pub async fn dead_tuples(client: &Client) -> anyhow::Result<i64> {
    client.batch_execute("SELECT pg_stat_clear_snapshot()").await?;
    let sql = "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'outbox'";
    Ok(client.query_one(sql, &[]).await.context("counting dead tuples")?.get(0))
}
