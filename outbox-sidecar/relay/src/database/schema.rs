//! The sidecar's own tables, in the schema `outbox_sidecar`.

use deadpool_postgres::Pool;

use crate::error::Error;

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// An arbitrary number that stands for "migrating `outbox_sidecar`".
const MIGRATION_LOCK: i64 = 0x6f75_7462_6f78;

/// Creates or upgrades the sidecar's tables. Several sidecars may do so at the
/// same time: a lock, held by an open transaction on a connection of its own,
/// lets them in one by one, also behind a pooler.
///
/// # Errors
/// The database is away, or the user may not create the schema.
pub async fn prepare(pool: &Pool) -> Result<(), Error> {
    let mut guard = pool.get().await?;
    let lock = guard.transaction().await.map_err(Error::database("begin a transaction"))?;
    lock.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK])
        .await
        .map_err(Error::database("lock the schema `outbox_sidecar`"))?;
    let mut client = pool.get().await?;
    let exists = client
        .query_typed("SELECT 1 FROM pg_namespace WHERE nspname = 'outbox_sidecar'", &[])
        .await
        .map_err(Error::database("look for the schema `outbox_sidecar`"))?;
    if exists.is_empty() {
        client
            .batch_execute("CREATE SCHEMA outbox_sidecar")
            .await
            .map_err(Error::database("create the schema `outbox_sidecar`"))?;
    }
    embedded::migrations::runner()
        .set_migration_table_name("outbox_sidecar.schema_history")
        .run_async(&mut **client.as_mut())
        .await
        .map_err(|error| Error::Migrate(Box::new(error)))?;
    lock.rollback().await.map_err(Error::database("release the migration lock"))
}
