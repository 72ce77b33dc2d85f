//! Bringing the schema up to date at start.

use tokio_postgres::Client;

use super::{Database, DatabaseError};
use crate::telemetry::Chain;

/// The advisory lock that one migrating replica holds: an arbitrary number
/// that is the same in all of them.
const MIGRATION_LOCK: i64 = 0x6d69_6772_6174_6531;

impl Database {
    /// Runs the migrations that have not run yet. Replicas that start at the
    /// same time take turns.
    ///
    /// The turn is an advisory lock of a transaction on a second connection,
    /// so that it ends with that connection whatever happens, and holds
    /// behind a pooler that shares connections between transactions.
    ///
    /// # Errors
    ///
    /// The database failed, or the schema has diverged from the migrations.
    pub async fn migrate(&self, migrations: &refinery::Runner) -> Result<(), DatabaseError> {
        let mut guard = self.connect().await?;
        let turn = guard.transaction().await?;
        turn.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;

        let mut client = self.connect().await?;
        let report = migrations
            .run_async(&mut client)
            .await
            .map_err(|err| DatabaseError::Migration(Box::new(err)))?;
        for migration in report.applied_migrations() {
            tracing::info!(%migration, "migration applied");
        }
        turn.commit().await?;
        Ok(())
    }

    /// A connection outside the pool, closed when it is dropped.
    async fn connect(&self) -> Result<Client, DatabaseError> {
        let (client, connection) = self.config.connect(self.tls.0.clone()).await?;
        tokio::spawn(async move {
            if let Err(err) = connection.await {
                tracing::warn!(error = %Chain(&err), "migration connection failed");
            }
        });
        Ok(client)
    }
}
