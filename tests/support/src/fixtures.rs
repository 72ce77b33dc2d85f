//! Servers shared by the tests of a process — or, under `local-stack test-env`, by all of them.

use std::env;

use tokio::sync::OnceCell;

use crate::kafka::{self, Broker};
use crate::postgres::{Cluster, Server};

/// A superuser's URL of the PostgreSQL server that tests use instead of starting their own.
pub const POSTGRES_VARIABLE: &str = "TEST_POSTGRES_URL";

/// The bootstrap address of the Kafka cluster that tests use instead of starting their own.
pub const KAFKA_VARIABLE: &str = "TEST_KAFKA_BOOTSTRAP";

/// The PostgreSQL server of this test run, which every test shares, each with databases of its own:
/// the one `TEST_POSTGRES_URL` names, else one started now that dies with this process. A test that
/// stops the server starts its own with [`Cluster::temporary`].
///
/// # Panics
///
/// When there is none and none can be started.
pub async fn postgres() -> &'static Server {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    enum Shared {
        Given(Box<Server>),
        Own(Box<Cluster>),
    }
    let shared = SHARED
        .get_or_init(|| async {
            let started = match env::var(POSTGRES_VARIABLE) {
                Ok(url) => Server::attach(&url).map(|given| Shared::Given(Box::new(given))),
                Err(_) => Cluster::temporary().await.map(|own| Shared::Own(Box::new(own))),
            };
            must(started, "PostgreSQL for the tests")
        })
        .await;
    match shared {
        Shared::Given(server) => server,
        Shared::Own(cluster) => cluster.server(),
    }
}

/// The Kafka broker of this test run, which every test shares, each with topics of its own: the one
/// `TEST_KAFKA_BOOTSTRAP` names, else one started now that dies with this process. A test that
/// stops the broker starts its own with [`Broker::temporary`].
///
/// # Panics
///
/// When there is none and none can be started.
pub async fn kafka() -> &'static kafka::Server {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    enum Shared {
        Given(kafka::Server),
        Own(Box<Broker>),
    }
    let shared = SHARED
        .get_or_init(|| async {
            match env::var(KAFKA_VARIABLE) {
                Ok(bootstrap) => Shared::Given(kafka::Server::attach(bootstrap)),
                Err(_) => {
                    Shared::Own(Box::new(must(Broker::temporary().await, "Kafka for the tests")))
                }
            }
        })
        .await;
    match shared {
        Shared::Given(server) => server,
        Shared::Own(broker) => broker.server(),
    }
}

#[expect(clippy::panic, reason = "only for tests, where a panic is the failure")]
fn must<T>(result: crate::Result<T>, what: &str) -> T {
    result.unwrap_or_else(|err| panic!("{what}: {err}"))
}
