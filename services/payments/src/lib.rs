//! The payments service: keeps accounts, pays orders from them as its inbox
//! asks, and tells the outcome through its outbox.
//!
//! [`account`] and [`payment`] hold the rules and know neither HTTP nor SQL;
//! [`http`] and [`task`] are the two ways in; [`store`] is the way to the
//! database.

pub mod account;
pub mod announcement;
pub mod http;
pub mod payment;
pub mod settings;
pub mod store;
pub mod task;

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
    inbox::router(task::Tasks::new(app.wake.clone()), app.database.clone(), app.metrics.clone())
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
