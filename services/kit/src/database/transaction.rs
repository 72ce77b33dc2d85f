//! Transactions, as far as what is written in them has to know of them.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::{GenericClient, Object, Transaction};
use futures::FutureExt;
use futures::future::try_join;

/// A transaction that has begun: what is written through it is there for others when it commits,
/// and never otherwise.
pub trait InTransaction: Sync {
    /// What sends its statements.
    type Client: GenericClient;

    /// Sends its statements.
    fn client(&self) -> &Self::Client;
}

impl InTransaction for Transaction<'_> {
    type Client = Self;

    fn client(&self) -> &Self {
        self
    }
}

/// A transaction whose begin and commit are sent along with its first and last statements, which
/// saves their round trips. Rolled back when it is dropped before its commit was answered.
#[derive(Debug)]
pub struct PipelinedTransaction {
    client: Object,
    ended: AtomicBool,
}

impl PipelinedTransaction {
    pub(super) fn new(client: Object) -> Self {
        Self { client, ended: AtomicBool::new(false) }
    }

    /// Begins, and goes on with `statements` before that is answered.
    ///
    /// # Errors
    ///
    /// One of the statements failed; the transaction is then of no more use.
    pub async fn begin_with<T, E>(
        &self,
        statements: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E>
    where
        E: From<tokio_postgres::Error>,
    {
        // Statements go in the order in which they are first polled.
        let begin = self.client.batch_execute("BEGIN").map(|begun| begun.map_err(E::from));
        let ((), done) = try_join(begin, statements).await?;
        Ok(done)
    }

    /// Commits. It is a rollback if a statement before it fails, so it may be sent before that
    /// one is answered; not before one that is still to be prepared.
    ///
    /// # Errors
    ///
    /// The connection failed; it is then not known whether the transaction was committed.
    pub async fn commit(&self) -> Result<(), tokio_postgres::Error> {
        self.end("COMMIT").await
    }

    /// Rolls back, and waits until that is done.
    ///
    /// # Errors
    ///
    /// The connection failed, and with it the transaction.
    pub async fn rollback(&self) -> Result<(), tokio_postgres::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(statement).await?;
        self.ended.store(true, Ordering::Relaxed);
        Ok(())
    }
}

impl InTransaction for PipelinedTransaction {
    type Client = Object;

    fn client(&self) -> &Object {
        &self.client
    }
}

impl Drop for PipelinedTransaction {
    fn drop(&mut self) {
        if !self.ended.load(Ordering::Relaxed) {
            // Polled once it is on its way, ahead of whatever the connection is used for next.
            drop(self.client.batch_execute("ROLLBACK").now_or_never());
        }
    }
}
