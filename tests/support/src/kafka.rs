//! Apache Kafka: one broker as a local process.

mod broker;
mod install;
mod server;

pub use broker::{Broker, Options, Storage};
pub use server::Server;
