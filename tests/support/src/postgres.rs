//! PostgreSQL: clusters as local processes, and a fresh database for every test.

mod cluster;
mod database;
mod install;
mod pooler;
mod server;

pub use cluster::{Cluster, Options, Storage};
pub(crate) use cluster::{generate_password, write_secret};
pub use database::TestDatabase;
pub use pooler::Pooler;
pub use server::Server;

/// The path of one of PostgreSQL's programs, such as `pg_dump`, of the version that clusters run.
pub fn program(name: &str) -> crate::Result<std::path::PathBuf> {
    Ok(install::Install::find(None)?.bin.join(name))
}
