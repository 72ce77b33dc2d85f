//! Starting: the schema.

use futures::future::try_join_all;
use kit::Database;
use kit::settings::DatabaseSettings;
use test_support::fixtures;

#[tokio::test]
async fn replicas_that_start_at_once_migrate_once() {
    let test_database = fixtures::postgres().await.database("payments_migrate").await.unwrap();
    let replicas: Vec<Database> = (0..4)
        .map(|_| Database::new(&DatabaseSettings::for_url(test_database.url())).unwrap())
        .collect();
    let migrations = (payments::SERVICE.migrations)();
    try_join_all(replicas.iter().map(|replica| replica.migrate(&migrations))).await.unwrap();

    let sql = test_database.connect().await.unwrap();
    let row = sql.query_one("SELECT count(*) FROM refinery_schema_history", &[]).await.unwrap();
    let applied: i64 = row.get(0);
    assert_eq!(usize::try_from(applied).unwrap(), migrations.get_migrations().len());
}
