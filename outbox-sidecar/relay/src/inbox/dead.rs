//! Dead letters of the partitions owned here: counting them, and delivering those
//! that somebody sent on their way again.

use deadpool_postgres::Pool;
use outbox_sidecar_core::config::StoredInbox;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::store::{COLUMNS, PAGE, PAGE_BYTES, StoredMessage, stored_message};
use crate::error::Error;

/// Dead letters are counted up to here.
pub const DEAD_COUNTED: i64 = 100_000;

/// The statements about one inbox's dead letters.
pub struct DeadLetters {
    pool: Pool,
    inbox: String,
    table: String,
    any_redriven: String,
    redriven: String,
    taken: String,
    count: String,
}

impl DeadLetters {
    /// Writes the statements for an inbox.
    pub fn new(pool: Pool, inbox: &StoredInbox) -> Self {
        let table = inbox.table.quoted();
        let owned = "(topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int4[]))";
        Self {
            pool,
            inbox: inbox.name.clone(),
            any_redriven: format!(
                "SELECT EXISTS (SELECT FROM outbox_sidecar.redriven WHERE inbox = $3 AND {owned})"
            ),
            redriven: format!(
                "SELECT {COLUMNS}, attempts, 0
                 FROM (SELECT i.*, sum(octet_length(payload))
                                   OVER (ORDER BY topic, partition, kafka_offset ROWS UNBOUNDED PRECEDING) AS bytes
                       FROM {table} AS i
                       WHERE message_id IN (SELECT r.message_id FROM outbox_sidecar.redriven AS r
                                            WHERE r.inbox = $3 AND {owned})
                         AND processed_at IS NULL AND dead_at IS NULL
                       ORDER BY topic, partition, kafka_offset LIMIT {PAGE}) AS page
                 WHERE coalesce(bytes - octet_length(payload), bytes, 0) < {PAGE_BYTES}
                 ORDER BY topic, partition, kafka_offset"
            ),
            taken: format!(
                "DELETE FROM outbox_sidecar.redriven AS r
                 WHERE inbox = $3 AND {owned}
                   AND (message_id = ANY ($4)
                        OR NOT EXISTS (SELECT FROM {table} AS i WHERE i.message_id = r.message_id
                                       AND i.processed_at IS NULL AND i.dead_at IS NULL))"
            ),
            count: format!(
                "SELECT count(*) FROM (SELECT FROM {table}
                                       WHERE dead_at IS NOT NULL AND processed_at IS NULL AND {owned}
                                       LIMIT {DEAD_COUNTED}) AS dead"
            ),
            table,
        }
    }

    /// Messages that were dead and are to be delivered again, of these partitions,
    /// in order; a page of them, bounded in rows and bytes. None: there is nothing
    /// to do, nor to forget.
    ///
    /// # Errors
    /// The database is away.
    pub async fn redriven(
        &self,
        owned: &[(String, i32)],
    ) -> Result<Option<Vec<StoredMessage>>, Error> {
        let (topics, partitions) = columns(owned);
        let of: [(&(dyn ToSql + Sync), Type); 3] = [
            (&topics, Type::TEXT_ARRAY),
            (&partitions, Type::INT4_ARRAY),
            (&self.inbox, Type::TEXT),
        ];
        let client = self.pool.get().await?;
        let failed = Error::database("look for messages to deliver again");
        let row = client.query_typed_one(&self.any_redriven, &of).await.map_err(&failed)?;
        if !row.get::<_, bool>(0) {
            return Ok(None);
        }
        let rows = client.query_typed(&self.redriven, &of).await.map_err(&failed)?;
        Ok(Some(rows.iter().map(stored_message).collect()))
    }

    /// These are in the delivery's queue; were they lost from it, they would be
    /// found among the pending rows. Forgets them, and those that are settled.
    ///
    /// # Errors
    /// The database is away.
    pub async fn taken(&self, owned: &[(String, i32)], messages: &[Uuid]) -> Result<(), Error> {
        let (topics, partitions) = columns(owned);
        let client = self.pool.get().await?;
        client
            .execute_typed(
                &self.taken,
                &[
                    (&topics, Type::TEXT_ARRAY),
                    (&partitions, Type::INT4_ARRAY),
                    (&self.inbox, Type::TEXT),
                    (&messages, Type::UUID_ARRAY),
                ],
            )
            .await
            .map_err(Error::database("note what is delivered again"))?;
        Ok(())
    }

    /// How many messages of these partitions are dead, counted up to
    /// [`DEAD_COUNTED`].
    ///
    /// # Errors
    /// The database is away.
    pub async fn count(&self, owned: &[(String, i32)]) -> Result<i64, Error> {
        let (topics, partitions) = columns(owned);
        let client = self.pool.get().await?;
        let row = client
            .query_typed_one(
                &self.count,
                &[(&topics, Type::TEXT_ARRAY), (&partitions, Type::INT4_ARRAY)],
            )
            .await
            .map_err(Error::database("count dead letters"))?;
        Ok(row.get(0))
    }

    /// Whether an index finds them. Without one each count would read the table.
    ///
    /// # Errors
    /// The database is away.
    pub async fn indexed(&self) -> Result<bool, Error> {
        let client = self.pool.get().await?;
        let row = client
            .query_typed_one(
                "SELECT EXISTS (SELECT FROM pg_index WHERE indrelid = to_regclass($1)
                                AND pg_get_expr(indpred, indrelid) LIKE '%dead_at IS NOT NULL%')",
                &[(&self.table, Type::TEXT)],
            )
            .await
            .map_err(Error::database("look at the inbox's indexes"))?;
        Ok(row.get(0))
    }
}

fn columns(owned: &[(String, i32)]) -> (Vec<&str>, Vec<i32>) {
    owned.iter().map(|(topic, partition)| (topic.as_str(), *partition)).unzip()
}
