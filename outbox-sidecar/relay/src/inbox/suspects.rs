//! Messages on trial, as rows of `outbox_sidecar.suspect`: a start is counted
//! before the request goes out, so that a message that takes the sidecar down with
//! the application is known afterwards.

use deadpool_postgres::Pool;
use outbox_sidecar_core::delivery::TrialEnd;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::error::Error;

/// The suspects of one inbox.
#[derive(Clone)]
pub struct Suspects {
    pool: Pool,
    inbox: String,
}

impl Suspects {
    /// Those of this inbox.
    pub fn new(pool: Pool, inbox: &str) -> Self {
        Self { pool, inbox: inbox.to_owned() }
    }

    /// A message is about to be delivered alone.
    ///
    /// # Errors
    /// The database is away; then it is not to be delivered.
    pub async fn start(&self, message: Uuid) -> Result<(), Error> {
        self.execute(
            "INSERT INTO outbox_sidecar.suspect AS s (inbox, message_id, starts) VALUES ($1, $2, 1)
             ON CONFLICT (inbox, message_id) DO UPDATE
             SET starts = s.starts + 1, started_at = clock_timestamp()",
            message,
            "note that a message is begun",
        )
        .await
    }

    /// The trial has ended. A counted start stays, unless the message has left the
    /// inbox's queue.
    ///
    /// # Errors
    /// The database is away.
    pub async fn end(&self, message: Uuid, end: TrialEnd, settled: bool) -> Result<(), Error> {
        let statement = match end {
            TrialEnd::Counted if !settled => return Ok(()),
            TrialEnd::Counted | TrialEnd::Acquitted => FORGET,
            TrialEnd::NotCounted => {
                "WITH innocent AS (DELETE FROM outbox_sidecar.suspect
                                   WHERE inbox = $1 AND message_id = $2 AND starts <= 1)
                 UPDATE outbox_sidecar.suspect SET starts = starts - 1
                 WHERE inbox = $1 AND message_id = $2 AND starts > 1"
            }
        };
        self.execute(statement, message, "note that a message was finished").await
    }

    async fn execute(
        &self,
        statement: &str,
        message: Uuid,
        action: &'static str,
    ) -> Result<(), Error> {
        let client = self.pool.get().await?;
        client
            .execute_typed(statement, &[(&self.inbox, Type::TEXT), (&message, Type::UUID)])
            .await
            .map_err(Error::database(action))?;
        Ok(())
    }
}

const FORGET: &str = "DELETE FROM outbox_sidecar.suspect WHERE inbox = $1 AND message_id = $2";
