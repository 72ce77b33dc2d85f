//! The orders service: takes orders, asks for their payment through its
//! outbox, and finishes or cancels them by what comes back to its inbox.
//!
//! [`order`] holds the rules and knows neither HTTP nor SQL; [`http`] and
//! [`outcome`] are the two ways in; [`store`] is the way to the database.

pub mod announcement;
pub mod http;
pub mod order;
pub mod outcome;
pub mod settings;
pub mod store;

use axum::Router;
use kit::inbox;
use kit::process::Error;
use kit::service::{Addresses, App, Service};

pub use http::openapi;
pub use settings::Settings;

mod embedded {
    #![allow(missing_docs, reason = "generated")]
    refinery::embed_migrations!("migrations");
}

/// The service: its schema, its routes and its inbox.
pub const SERVICE: Service =
    Service { migrations: embedded::migrations::runner, api: http::router, inbox: inbox_router };

fn inbox_router(app: &App) -> Router {
    let outcomes = outcome::Outcomes::new(app.wake.clone());
    inbox::router(outcomes, app.database.clone(), app.metrics.clone())
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
///
/// As [`Service::run`].
pub async fn run(settings: Settings) -> Result<(), Error> {
    let Settings { listen, admin_listen, inbox_listen, service } = settings;
    let addresses = Addresses { api: listen, admin: admin_listen, inbox: inbox_listen };
    SERVICE.run(addresses, service).await
}
