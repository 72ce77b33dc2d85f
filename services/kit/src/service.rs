//! A service beside a sidecar: an API, an inbox and a database, from its start
//! to its graceful stop.

use std::net::SocketAddr;

use axum::Router;
use clap::Args;

use crate::admin::{self, Readiness};
use crate::layers::Layers;
use crate::process::{self, AdminListener, Error, Listeners};
use crate::server::Listener;
use crate::settings::{DatabaseSettings, HttpSettings, SidecarSettings, TelemetrySettings};
use crate::{Database, Metrics, Wake, idempotency};

/// Settings that every such service has, beside its addresses.
#[derive(Args, Clone, Debug)]
pub struct ServiceSettings {
    /// Limits of the listeners.
    #[command(flatten)]
    pub http: HttpSettings,

    /// The database.
    #[command(flatten)]
    pub database: DatabaseSettings,

    /// The sidecar.
    #[command(flatten)]
    pub sidecar: SidecarSettings,

    /// The log.
    #[command(flatten)]
    pub telemetry: TelemetrySettings,
}

/// Where a service listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The API.
    pub api: SocketAddr,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub admin: SocketAddr,
    /// Where the sidecar delivers; no one else should reach it.
    pub inbox: SocketAddr,
}

/// What a service consists of.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// The migrations of its schema.
    pub migrations: fn() -> refinery::Runner,
    /// The routes of its API.
    pub api: fn(App) -> Router,
    /// The routes of its inbox.
    pub inbox: fn(&App) -> Router,
}

/// What a service's handlers share.
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

impl Service {
    /// What the API's listener answers with.
    pub fn api(&self, app: &App) -> Router {
        app.layers("api").around((self.api)(app.clone()))
    }

    /// What the inbox's listener answers with.
    pub fn inbox(&self, app: &App) -> Router {
        app.layers("inbox").around((self.inbox)(app))
    }

    /// Runs until SIGTERM or SIGINT. The admin listener answers at once; the
    /// others when the database is there and its schema up to date.
    ///
    /// # Errors
    ///
    /// A setting is not usable, a listener cannot be bound, or the database is
    /// not reachable in time.
    pub async fn run(self, addresses: Addresses, settings: ServiceSettings) -> Result<(), Error> {
        let ServiceSettings { http, database, sidecar, telemetry: _ } = settings;
        let stop = process::stop_on_signals()?;
        let database = Database::new(&database)?;
        let metrics = Metrics::new()?;
        metrics.observe_pool(&database)?;
        let readiness = Readiness::starting(Some(database.clone()));
        let admin = admin::router(readiness.clone(), metrics.clone());
        let admin = AdminListener::start(Listener::bind("admin", addresses.admin, admin).await?);

        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            prepared = self.prepare(&database) => prepared?,
        }

        let app = App {
            wake: Wake::start(sidecar.sidecar_url.as_ref(), stop.clone())?,
            database: database.clone(),
            metrics,
            limits: http.clone(),
        };
        tokio::spawn(idempotency::purge(database, stop.clone()));
        let serving = vec![
            Listener::bind("api", addresses.api, self.api(&app)).await?,
            Listener::bind("inbox", addresses.inbox, self.inbox(&app)).await?,
        ];
        let listeners = Listeners { serving, admin, readiness, grace: http.shutdown_grace };
        listeners.serve(stop).await;
        Ok(())
    }

    /// Waits for the database and brings its schema up to date.
    async fn prepare(&self, database: &Database) -> Result<(), Error> {
        database.wait().await?;
        database.migrate(&(self.migrations)()).await?;
        Ok(())
    }
}

impl App {
    fn layers(&self, listener: &'static str) -> Layers {
        Layers {
            listener,
            metrics: self.metrics.clone(),
            timeout: self.limits.request_timeout,
            max_body_bytes: self.limits.max_body_bytes,
        }
    }
}
