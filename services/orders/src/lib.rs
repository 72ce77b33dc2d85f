//! The orders service: takes orders, asks for their payment through its
//! outbox, and finishes or cancels them by what comes back to its inbox.
//!
//! [`order`] holds the rules and knows neither HTTP nor SQL; [`http`] and
//! [`outcome`] are the two ways in; [`store`] is the way to the database.

pub mod http;
pub mod order;
pub mod outcome;
pub mod settings;
pub mod store;

use kit::admin::{self, Readiness};
use kit::layers::Layers;
use kit::process::{AdminListener, Error, Listeners};
use kit::server::Listener;
use kit::settings::HttpSettings;
use kit::{Database, Metrics, Wake, idempotency, inbox, process};

pub use settings::Settings;

mod embedded {
    #![allow(missing_docs, reason = "generated")]
    refinery::embed_migrations!("migrations");
}

/// The migrations of the service's schema.
#[must_use]
pub fn migrations() -> refinery::Runner {
    embedded::migrations::runner()
}

/// The service without its listeners.
#[derive(Clone, Debug)]
pub struct App {
    /// The service's database.
    pub database: Database,
    /// Pokes the sidecar after a commit.
    pub wake: Wake,
    /// Where requests and events are counted.
    pub metrics: Metrics,
    /// Limits on requests.
    pub limits: HttpSettings,
}

impl App {
    /// The API.
    pub fn api(&self) -> axum::Router {
        self.layers("api").around(http::router(self.clone()))
    }

    /// The inbox, for a listener only the sidecar reaches.
    pub fn inbox(&self) -> axum::Router {
        let router = inbox::router(outcome::Outcomes, self.database.clone(), self.metrics.clone());
        self.layers("inbox").around(router)
    }

    fn layers(&self, listener: &'static str) -> Layers {
        Layers {
            listener,
            metrics: self.metrics.clone(),
            timeout: self.limits.request_timeout,
            max_body_bytes: self.limits.max_body_bytes,
        }
    }
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
///
/// A setting is not usable, a listener cannot be bound, or the database is
/// not reachable in time.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let Settings { listen, admin_listen, inbox_listen, http, database, sidecar, telemetry: _ } =
        settings;
    let stop = process::stop_on_signals()?;
    let database = Database::new(&database)?;
    let metrics = Metrics::new()?;
    metrics.observe_pool(&database)?;
    let readiness = Readiness::starting(Some(database.clone()));
    let admin = admin::router(readiness.clone(), metrics.clone());
    let admin = AdminListener::start(Listener::bind("admin", admin_listen, admin).await?);

    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        prepared = prepare(&database) => prepared?,
    }

    let app = App {
        wake: Wake::start(sidecar.sidecar_url.as_ref(), stop.clone())?,
        database: database.clone(),
        metrics,
        limits: http.clone(),
    };
    tokio::spawn(idempotency::purge(database, stop.clone()));
    let serving = vec![
        Listener::bind("api", listen, app.api()).await?,
        Listener::bind("inbox", inbox_listen, app.inbox()).await?,
    ];
    let listeners = Listeners { serving, admin, readiness, grace: http.shutdown_grace };
    listeners.serve(stop).await;
    Ok(())
}

/// Waits for the database and brings its schema up to date.
async fn prepare(database: &Database) -> Result<(), Error> {
    database.wait().await?;
    database.migrate(&migrations()).await?;
    Ok(())
}
