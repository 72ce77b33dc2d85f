//! Starts what the tests and `make run` need as plain local processes: a PostgreSQL cluster, a
//! Kafka broker, the shop's own binaries, and a proxy to cut the lines between them.
//!
//! Whatever is started here dies with the process that started it, also when that is killed
//! with SIGKILL, and takes its temporary files along.

pub mod answer;
mod blocking;
pub mod demo_token;
pub mod error;
pub mod fixtures;
pub mod kafka;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod scratch;
pub mod shop;
pub mod wait;
mod workspace;

pub use error::{Error, Result};
pub use workspace::{bin_dir, workspace_root};
