//! The whole shop as a value: databases, Kafka, the services, their sidecars, the gateway.

mod addresses;
mod options;
mod part;
mod programs;

use std::future::Future;
use std::time::Instant;

use futures::future::{try_join, try_join_all};

pub use self::addresses::{Addresses, ServiceAddresses};
pub use self::options::{Data, OutputOf, Progress, Reconfigure, ShopOptions};
pub use self::part::Part;
use self::programs::Programs;
use crate::error::{Error, Result};
use crate::kafka::{self, Broker};
use crate::ports;
use crate::postgres::{self, Cluster, TestDatabase, generate_password, write_secret};
use crate::scratch::Scratch;

/// The services that have a database and a sidecar.
pub const SERVICES: [&str; 2] = ["orders", "payments"];

/// The shop, running. Dropping it kills everything it started.
#[derive(Debug)]
pub struct Shop {
    // Dropped in this order: the processes end before their databases and files go.
    parts: Vec<Part>,
    addresses: Addresses,
    database_urls: Vec<(&'static str, String)>,
    kafka: kafka::Server,
    _databases: Vec<TestDatabase>,
    _scratch: Option<Scratch>,
}

impl Shop {
    /// Starts everything in the order of dependency and returns when all of it is ready. Dropping
    /// the future kills what has been started.
    ///
    /// # Errors
    /// The first part that does not start, with its last lines of output.
    pub async fn start(options: ShopOptions) -> Result<Self> {
        let addresses = match &options.addresses {
            Some(fixed) => {
                fixed
                    .listeners(options.ui)
                    .try_for_each(|(port, part)| ports::ensure_free(port, &part))?;
                fixed.clone()
            }
            None => Addresses::free(options.sidecars)?,
        };
        // Before anything runs: what is missing should not come out after half a minute.
        let bin_dir = programs::find(&options)?;
        let (run_dir, scratch) = options.run_dir()?;
        let ((postgres, postgres_part), (kafka, kafka_part)) =
            try_join(start_postgres(&options, &addresses), start_kafka(&options, &addresses))
                .await?;
        let (database_urls, databases) = databases(&options, &postgres).await?;
        for (service, url) in &database_urls {
            write_secret(&programs::database_url_file(&run_dir, service), url)?;
        }
        let programs = Programs::new(&options, &addresses, kafka.bootstrap(), bin_dir, run_dir);

        let mut parts = Vec::new();
        parts.extend(postgres_part);
        parts.extend(kafka_part);
        // The services make their tables, which the sidecars want to find.
        let services = SERVICES.iter().map(|service| {
            announced(&options, service, async {
                Part::start_program(programs.service(service)?).await
            })
        });
        parts.extend(try_join_all(services).await?);
        let sidecars = SERVICES
            .iter()
            .flat_map(|service| (1..=options.sidecars).map(move |replica| (*service, replica)))
            .map(|(service, replica)| {
                let name = programs::sidecar_name(service, replica);
                let programs = &programs;
                let options = &options;
                async move {
                    announced(options, &name, async {
                        Part::start_program(programs.sidecar(service, replica)?).await
                    })
                    .await
                }
            });
        parts.extend(try_join_all(sidecars).await?);
        parts.push(announced(&options, "gateway", Part::start_program(programs.gateway())).await?);
        let feed = async { Part::start_program(programs.sidecar("gateway", 1)?).await };
        parts.push(announced(&options, "gateway-sidecar", feed).await?);
        if options.ui {
            parts.push(announced(&options, "ui", Part::start_program(programs.ui())).await?);
        }
        Ok(Self {
            parts,
            addresses,
            database_urls,
            kafka,
            _databases: databases,
            _scratch: scratch,
        })
    }

    /// Everything that was started, in the order it was started. A PostgreSQL server or Kafka
    /// broker that was given is not among them.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// A part by name: `postgres`, `kafka`, `orders`, `payments`, `orders-sidecar`,
    /// `payments-sidecar` (further replicas: `orders-sidecar-2`, …), `gateway`, `gateway-sidecar`,
    /// `ui`.
    ///
    /// # Errors
    /// There is none of that name; the error lists those there are.
    pub fn part(&self, name: &str) -> Result<&Part> {
        self.parts.iter().find(|part| part.name() == name).ok_or_else(|| {
            let names: Vec<&str> = self.parts.iter().map(Part::name).collect();
            Error::Invalid(format!("this shop has no part `{name}`, only {}", names.join(", ")))
        })
    }

    /// Where everything listens.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The public API, without a slash at the end.
    pub fn gateway_url(&self) -> String {
        Addresses::url(self.addresses.gateway)
    }

    /// The admin port of a program (`orders`, `orders-sidecar`, `gateway`, …), which serves
    /// `/metrics`; without a slash at the end.
    ///
    /// # Errors
    /// No program of that name has one.
    pub fn admin_url(&self, name: &str) -> Result<String> {
        self.addresses
            .admin(name)
            .map(Addresses::url)
            .ok_or_else(|| Error::Invalid(format!("`{name}` has no admin port")))
    }

    /// The database of `orders` or `payments`, as its owner.
    ///
    /// # Errors
    /// No service of that name has one.
    pub fn database_url(&self, service: &str) -> Result<&str> {
        self.database_urls
            .iter()
            .find(|(name, _)| *name == service)
            .map(|(_, url)| url.as_str())
            .ok_or_else(|| Error::Invalid(format!("`{service}` has no database")))
    }

    /// The Kafka cluster the shop uses.
    pub fn kafka(&self) -> &kafka::Server {
        &self.kafka
    }

    /// Stops everything in good order, the last started first.
    pub async fn stop(self) {
        for part in self.parts.iter().rev() {
            part.stop().await;
        }
    }
}

/// A server that was given, without a part, or one of the shop's own.
type Backend<S> = (S, Option<Part>);

async fn start_postgres(
    options: &ShopOptions,
    addresses: &Addresses,
) -> Result<Backend<postgres::Server>> {
    if let Some(server) = &options.postgres {
        return Ok((server.clone(), None));
    }
    let start = Cluster::start_with(postgres::Options {
        port: options.addresses.is_some().then_some(addresses.postgres),
        storage: match &options.data {
            Data::Temporary => postgres::Storage::Temporary,
            Data::Persistent(dir) => postgres::Storage::Persistent(dir.join("postgres")),
        },
        output: options.output("postgres"),
        ..postgres::Options::default()
    });
    let cluster = announced(options, "postgres", start).await?;
    Ok((cluster.server().clone(), Some(Part::postgres(cluster))))
}

async fn start_kafka(
    options: &ShopOptions,
    addresses: &Addresses,
) -> Result<Backend<kafka::Server>> {
    if let Some(server) = &options.kafka {
        return Ok((server.clone(), None));
    }
    let fixed = options.addresses.is_some();
    let start = Broker::start_with(kafka::Options {
        port: fixed.then_some(addresses.kafka),
        controller_port: fixed.then_some(addresses.kafka_controller),
        storage: match &options.data {
            Data::Temporary => kafka::Storage::Temporary,
            Data::Persistent(dir) => kafka::Storage::Persistent(dir.join("kafka")),
        },
        output: options.output("kafka"),
        ..kafka::Options::default()
    });
    let broker = announced(options, "kafka", start).await?;
    Ok((broker.server().clone(), Some(Part::kafka(broker))))
}

/// The services' databases: fresh ones that go with the shop, or lasting ones.
async fn databases(
    options: &ShopOptions,
    server: &postgres::Server,
) -> Result<(Vec<(&'static str, String)>, Vec<TestDatabase>)> {
    let (mut urls, mut temporary) = (Vec::new(), Vec::new());
    for service in SERVICES {
        match &options.data {
            Data::Temporary => {
                let database = server.database(service).await?;
                urls.push((service, database.url().to_owned()));
                temporary.push(database);
            }
            // The password is set anew on every start, so it need not be kept anywhere but in
            // the URL file the service reads.
            Data::Persistent(_) => {
                urls.push((service, server.ensure_database(service, &generate_password()).await?));
            }
        }
    }
    Ok((urls, temporary))
}

/// Starts a part, telling the listener about it.
async fn announced<T>(
    options: &ShopOptions,
    name: &str,
    start: impl Future<Output = Result<T>>,
) -> Result<T> {
    let begun = Instant::now();
    options.tell(&format!("starting {name}"));
    let part = start.await?;
    options.tell(&format!("{name} is ready after {:.1} s", begun.elapsed().as_secs_f32()));
    Ok(part)
}
