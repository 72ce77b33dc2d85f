//! Waiting for the database.

use std::time::Duration;

use kit::Database;
use kit::settings::DatabaseSettings;

#[tokio::test]
async fn a_database_that_never_comes_ends_the_wait() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut settings = DatabaseSettings::for_url(format!("postgres://shop@{unused}/shop"));
    settings.database_start_timeout = Duration::from_millis(300);
    let err = Database::new(&settings).unwrap().wait().await.unwrap_err();
    assert!(err.to_string().contains("not reachable"), "{err}");
}
