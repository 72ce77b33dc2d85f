//! Transactions whose begin and commit go along with other statements.

use deadpool_postgres::GenericClient;
use futures::FutureExt;
use kit::Database;
use kit::database::{InTransaction, PipelinedTransaction};
use kit::settings::DatabaseSettings;
use test_support::fixtures;
use test_support::postgres::TestDatabase;

/// One connection, so that each transaction has the one that the last has had.
async fn start(name: &str) -> (Database, TestDatabase) {
    let test_database = fixtures::postgres().await.database(name).await.unwrap();
    let mut settings = DatabaseSettings::for_url(test_database.url());
    settings.database_max_connections = 1;
    let database = Database::new(&settings).unwrap();
    let client = database.get().await.unwrap();
    client.batch_execute("CREATE TABLE things (id integer PRIMARY KEY)").await.unwrap();
    drop(client);
    (database, test_database)
}

async fn insert(tx: &PipelinedTransaction, id: i32) -> Result<(), tokio_postgres::Error> {
    let insert = tx.client().prepare_cached("INSERT INTO things VALUES ($1)").await?;
    tx.client().execute(&insert, &[&id]).await?;
    Ok(())
}

async fn things(database: &Database) -> Vec<i32> {
    let rows = database.get().await.unwrap();
    let rows = rows.query("SELECT id FROM things ORDER BY id", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn statements_that_are_sent_together_take_effect_together() {
    let (database, keep) = start("kit_pipelined").await;
    let other = Database::new(&DatabaseSettings::for_url(keep.url())).unwrap();
    let tx = database.pipelined().await.unwrap();
    tx.begin_with(async { tokio::try_join!(insert(&tx, 1), insert(&tx, 2)) }).await.unwrap();
    assert!(things(&other).await.is_empty());
    tx.commit().await.unwrap();
    drop(tx);
    assert_eq!(things(&database).await, [1, 2]);
}

#[tokio::test]
async fn what_fails_or_is_given_up_leaves_nothing_to_the_next() {
    let (database, _keep) = start("kit_given_up").await;
    // Twice: the second time the statement is prepared.
    for _ in 0..2 {
        let tx = database.pipelined().await.unwrap();
        let twice = tx.begin_with(async { tokio::try_join!(insert(&tx, 1), insert(&tx, 1)) }).await;
        assert_eq!(twice.unwrap_err().code().unwrap().code(), "23505");
        drop(tx);
        assert!(things(&database).await.is_empty());

        let tx = database.pipelined().await.unwrap();
        tx.begin_with(insert(&tx, 1)).await.unwrap();
        drop(tx);
        assert!(things(&database).await.is_empty());

        // Before anything was answered.
        let tx = database.pipelined().await.unwrap();
        assert!(tx.begin_with(insert(&tx, 1)).now_or_never().is_none());
        drop(tx);
        assert!(things(&database).await.is_empty());

        let tx = database.pipelined().await.unwrap();
        tx.begin_with(insert(&tx, 1)).await.unwrap();
        tx.rollback().await.unwrap();
        drop(tx);
        assert!(things(&database).await.is_empty());
    }
    let tx = database.pipelined().await.unwrap();
    tx.begin_with(insert(&tx, 1)).await.unwrap();
    tx.commit().await.unwrap();
    drop(tx);
    assert_eq!(things(&database).await, [1]);
}
