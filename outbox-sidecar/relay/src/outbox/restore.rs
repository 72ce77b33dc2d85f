//! Noticing that the database is not the one that the cursors are from, and
//! going on from what is known: the SQL of [`outbox_sidecar_core::restore`].

use deadpool_postgres::{Client, Pool, Transaction};
use jiff::Timestamp;
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    restore::{Origin, judge, restart},
    snapshot::Snapshot,
    window::Position,
};
use tokio_postgres::types::Type;

use crate::error::Error;

/// That an outbox has been restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredOutbox {
    /// When it was noticed.
    pub at: Timestamp,
    /// The highest position that was there then.
    pub until: Position,
    /// Whether it was noticed just now.
    pub news: bool,
}

/// Notices restores of one outbox.
pub struct OriginGuard {
    outbox: Outbox,
    /// An expression for the identity of the database at hand.
    identity: &'static str,
    /// The highest position noted.
    noted: Option<Position>,
}

/// A dump is restored into another cluster or another database; a failover, a
/// recovery to a point in time and an upgrade in place go on with the ids there
/// were. The last changes the identifier all the same, which costs nothing.
const IDENTITY: &str = "(SELECT concat_ws('/', system_identifier,
                                (SELECT oid FROM pg_database WHERE datname = current_database()))
                         FROM pg_control_system())";

/// Where the user may not ask for the cluster's identifier.
const IDENTITY_WITHOUT_CLUSTER: &str =
    "(SELECT concat_ws('/', 'unknown', oid) FROM pg_database WHERE datname = current_database())";

impl OriginGuard {
    /// Finds out how the database can be told from others.
    ///
    /// # Errors
    /// The database is away.
    pub async fn new(pool: &Pool, outbox: &Outbox) -> Result<Self, Error> {
        let client = pool.get().await?;
        let row = client
            .query_typed_one("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')", &[])
            .await
            .map_err(Error::database("look at privileges"))?;
        let identity = if row.get(0) { IDENTITY } else { IDENTITY_WITHOUT_CLUSTER };
        Ok(Self { outbox: outbox.clone(), identity, noted: None })
    }

    /// Compares the database with the one remembered. If it is another, the
    /// cursors start anew before the first row that is not known to be published,
    /// and whoever held them holds them no more; all in one transaction. Returns
    /// whether there ever was a restore.
    ///
    /// # Errors
    /// The database is away, or a stored cursor is damaged.
    pub async fn check(&self, client: &mut Client) -> Result<Option<RestoredOutbox>, Error> {
        if self.outbox.engine() == Engine::Claim {
            // The rows themselves say what is published.
            return Ok(None);
        }
        let transaction =
            client.transaction().await.map_err(Error::database("begin a transaction"))?;
        let restored = self.check_within(&transaction).await?;
        transaction.commit().await.map_err(Error::database("note the database's identity"))?;
        Ok(restored)
    }

    async fn check_within(
        &self,
        transaction: &Transaction<'_>,
    ) -> Result<Option<RestoredOutbox>, Error> {
        let name = (&self.outbox.name as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT);
        let row = transaction
            .query_typed_one(
                &format!(
                    "SELECT {}, pg_current_snapshot()::text,
                            (SELECT coalesce(max(pg_snapshot_xmax(published)::text::numeric), 0)::text
                             FROM outbox_sidecar.cursor WHERE outbox = $1)",
                    self.identity
                ),
                std::slice::from_ref(&name),
            )
            .await
            .map_err(Error::database("identify the database"))?;
        let snapshot = self.snapshot(row.get(1))?;
        let now = Origin { database: row.get(0), xmax: snapshot.xmax() };
        let cursor = row.get::<_, &str>(2).parse().unwrap_or(u64::MAX);
        let known = transaction
            .query_typed(
                "SELECT database, (extract(epoch FROM restored_at) * 1000000)::int8, restored_until
                 FROM outbox_sidecar.origin WHERE outbox = $1 FOR UPDATE",
                std::slice::from_ref(&name),
            )
            .await
            .map_err(Error::database("read where the cursors are from"))?;
        let known = known.first();
        let ahead = known.is_none() && self.rows_ahead(transaction).await?;
        let database = known.map(|row| row.get::<_, &str>(0));
        let Some(restored) = judge(&now, database, cursor, ahead) else {
            if known.is_none() {
                self.remember(transaction, &now).await?;
            }
            return Ok(known.and_then(|row| {
                let at = Timestamp::from_microsecond(row.get::<_, Option<i64>>(1)?).ok()?;
                Some(RestoredOutbox { at, until: row.get::<_, Option<i64>>(2)?, news: false })
            }));
        };
        self.remember(transaction, &now).await?;
        let until = self.start_anew(transaction).await?;
        tracing::warn!(
            outbox = self.outbox.name,
            database = now.database,
            cursors_from = database,
            "the database {}: it was restored. Publishing what is not known to be published, some of it perhaps again",
            restored.reason()
        );
        Ok(Some(RestoredOutbox { at: Timestamp::now(), until, news: true }))
    }

    /// Whether rows of another cluster are in the table of a new outbox. Looked
    /// for only once, so it may read the whole table.
    async fn rows_ahead(&self, transaction: &Transaction<'_>) -> Result<bool, Error> {
        let statement = format!(
            "SELECT EXISTS (SELECT FROM {} WHERE {} >= pg_snapshot_xmax(pg_current_snapshot()))",
            self.outbox.table.quoted(),
            self.outbox.columns().xid.quoted()
        );
        let row = transaction
            .query_typed_one(&statement, &[])
            .await
            .map_err(Error::database("look for rows of another cluster"))?;
        Ok(row.get(0))
    }

    async fn remember(&self, transaction: &Transaction<'_>, now: &Origin) -> Result<(), Error> {
        transaction
            .execute_typed(
                "INSERT INTO outbox_sidecar.origin (outbox, database) VALUES ($1, $2)
                 ON CONFLICT (outbox) DO UPDATE SET database = excluded.database, updated_at = clock_timestamp()",
                &[(&self.outbox.name, Type::TEXT), (&now.database, Type::TEXT)],
            )
            .await
            .map_err(Error::database("remember the database"))?;
        Ok(())
    }

    /// Keeps the cursors as they are aside, and sets them to the restart. Returns
    /// the highest position there is.
    async fn start_anew(&self, transaction: &Transaction<'_>) -> Result<Position, Error> {
        let name = (&self.outbox.name as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT);
        for statement in [
            "DELETE FROM outbox_sidecar.restored_cursor WHERE outbox = $1",
            "INSERT INTO outbox_sidecar.restored_cursor (outbox, bucket, published, window_until, window_after)
             SELECT outbox, bucket, published, window_until, window_after FROM outbox_sidecar.cursor
             WHERE outbox = $1 FOR UPDATE",
        ] {
            transaction
                .execute_typed(statement, std::slice::from_ref(&name))
                .await
                .map_err(Error::database("keep the cursors of before"))?;
        }
        // After the lock: what is in the snapshot is there for whoever goes on.
        let statement = format!(
            "SELECT pg_current_snapshot()::text, (SELECT max({}::int8) FROM {})",
            self.outbox.columns().position.quoted(),
            self.outbox.table.quoted()
        );
        let row = transaction
            .query_typed_one(&statement, &[])
            .await
            .map_err(Error::database("look for the last row"))?;
        let cursor = restart(self.snapshot(row.get(0))?);
        let until = row.get::<_, Option<Position>>(1).unwrap_or(Position::MIN);
        transaction
            .execute_typed(
                "UPDATE outbox_sidecar.origin
                 SET restored_at = clock_timestamp(), restored_after = position, restored_until = $2,
                     position = NULL
                 WHERE outbox = $1",
                &[name.clone(), (&until, Type::INT8)],
            )
            .await
            .map_err(Error::database("note the restore"))?;
        transaction
            .execute_typed(
                "UPDATE outbox_sidecar.cursor
                 SET published = $2::pg_snapshot, window_until = $3::pg_snapshot, window_after = $4,
                     owner = NULL, expires_at = NULL, epoch = epoch + 1, updated_at = clock_timestamp()
                 WHERE outbox = $1",
                &[
                    name,
                    (&cursor.published().to_string(), Type::TEXT),
                    (&cursor.open().map(|open| open.until.to_string()), Type::TEXT),
                    (&cursor.open().map(|open| open.after), Type::INT8),
                ],
            )
            .await
            .map_err(Error::database("start the cursors anew"))?;
        Ok(until)
    }

    /// Notes the highest position published, if it is a new one.
    ///
    /// # Errors
    /// The database is another one than at the last [`check`](Self::check); or
    /// it is away.
    pub async fn note(&mut self, client: &Client, highest: Option<Position>) -> Result<(), Error> {
        if highest <= self.noted || self.outbox.engine() == Engine::Claim {
            return Ok(());
        }
        let statement = format!(
            "UPDATE outbox_sidecar.origin SET position = greatest(position, $2), updated_at = clock_timestamp()
             WHERE outbox = $1 AND database = {}",
            self.identity
        );
        let noted = client
            .execute_typed(&statement, &[(&self.outbox.name, Type::TEXT), (&highest, Type::INT8)])
            .await
            .map_err(Error::database("note the highest position published"))?;
        if noted == 0 {
            return Err(Error::AnotherDatabase);
        }
        self.noted = highest;
        Ok(())
    }

    fn snapshot(&self, text: &str) -> Result<Snapshot, Error> {
        text.parse().map_err(|source| Error::Cursor { outbox: self.outbox.name.clone(), source })
    }
}
