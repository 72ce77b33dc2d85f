//! PostgreSQL as the other tests use it.

use std::time::{Duration, Instant};

use test_support::fixtures;
use test_support::postgres::Cluster;

#[tokio::test]
async fn a_test_database_is_its_owners_alone_and_goes_away() {
    let server = fixtures::postgres().await;
    let mine = server.database("mine").await.unwrap();
    let other = server.database("other").await.unwrap();
    let owner = mine.connect().await.unwrap();
    owner.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();

    // The other database's role cannot even connect.
    let stranger_url = mine.url().replacen(mine.name(), other.name(), 1);
    let refused =
        tokio_postgres::connect(&stranger_url, tokio_postgres::NoTls).await.err().unwrap();
    assert!(refused.to_string().contains("db error"), "{refused}");
    let rights = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles \
                  WHERE rolname = current_user";
    assert!(!owner.query_one(rights, &[]).await.unwrap().get::<_, bool>(0));

    // Dropped although a connection is open.
    let name = mine.name().to_owned();
    drop(mine);
    let admin = server.admin("postgres").await.unwrap();
    let left = "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) + \
                (SELECT count(*) FROM pg_roles WHERE rolname = $1)";
    assert_eq!(admin.query_one(left, &[&name]).await.unwrap().get::<_, i64>(0), 0);
}

#[tokio::test]
async fn committed_rows_survive_a_killed_server() {
    let begun = Instant::now();
    let cluster = Cluster::temporary().await.unwrap();
    eprintln!("cluster started in {:?}", begun.elapsed());
    let begun = Instant::now();
    let database = cluster.database("crash").await.unwrap();
    eprintln!("database made in {:?}", begun.elapsed());
    let client = database.connect().await.unwrap();
    client.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await.unwrap();

    cluster.kill().await;
    assert!(database.connect().await.is_err());
    let begun = Instant::now();
    cluster.start().await.unwrap();
    eprintln!("cluster recovered in {:?}", begun.elapsed());
    let client = database.connect().await.unwrap();
    assert_eq!(client.query_one("SELECT n FROM t", &[]).await.unwrap().get::<_, i32>(0), 7);

    cluster.restart().await.unwrap();
    assert!(database.connect().await.is_ok());
}

#[tokio::test]
async fn a_stopped_server_leaves_no_files() {
    let cluster = Cluster::temporary().await.unwrap();
    let admin = cluster.admin("postgres").await.unwrap();
    let row = admin.query_one("SHOW data_directory", &[]).await.unwrap();
    let data = std::path::PathBuf::from(row.get::<_, String>(0));
    assert!(data.is_dir());
    drop(cluster);
    test_support::wait::until("the data is gone", Duration::from_secs(10), || async {
        (!data.exists()).then_some(())
    })
    .await;
}
