//! What the services of the shop share, and what any service written in Rust
//! would use beside an outbox sidecar: settings, telemetry, problem details,
//! exact money, a PostgreSQL pool, the outbox and inbox contracts,
//! idempotency keys, pagination, and HTTP listeners that stop gracefully.
//!
//! Nothing here speaks Kafka. A service writes rows and answers HTTP; its
//! sidecar does the rest.

pub mod admin;
pub mod context;
pub mod database;
pub mod documentation;
pub mod extract;
pub mod idempotency;
pub mod inbox;
pub mod layers;
pub mod metrics;
pub mod money;
pub mod outbox;
pub mod page;
pub mod problem;
pub mod process;
mod refused_body;
pub mod server;
pub mod service;
pub mod settings;
pub mod telemetry;
pub mod timeline;
pub mod wake;

pub use context::RequestContext;
pub use database::Database;
pub use metrics::Metrics;
pub use money::Money;
pub use problem::Problem;
pub use wake::Wake;
