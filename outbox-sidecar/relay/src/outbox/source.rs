//! Where rows come from, by the outbox's engine.

use std::sync::Arc;

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    snapshot::Snapshot,
    window::{Cursor, Position},
};

use super::{
    claim::{ClaimReader, Retire, RowId},
    lease::Lane,
    reader::{Chunk, Reader},
    settlement::{Retirement, Settlement, UnpublishedRow},
};
use crate::{database::inspect::OutboxTable, error::Error};

/// The reader of an engine.
pub enum Source {
    /// Windows between snapshots; the cursor says what is published.
    Append(Reader),
    /// The rows themselves say what is published.
    Claim(ClaimReader),
}

impl Source {
    /// The reader of an outbox, whose table is as it was found; `restored` is as of
    /// [`Reader::new`].
    pub fn new(outbox: &Outbox, table: &OutboxTable, restored: Option<Position>) -> Self {
        match outbox.engine() {
            Engine::Append => Self::Append(Reader::new(outbox, restored)),
            Engine::Claim => Self::Claim(ClaimReader::new(outbox, table)),
        }
    }

    /// Starts reading a lane's next chunk, of so many rows at most. Rows arrive as
    /// they are taken from the stream. `under_way` are the positions of those that were
    /// read and are still to be retired, if this source [retires](Self::retires) rows.
    ///
    /// # Errors
    /// The database is away, or the table is not as configured.
    pub async fn read(
        &self,
        client: &Client,
        lane: &Lane,
        limit: usize,
        under_way: &[Position],
    ) -> Result<Chunk, Error> {
        match self {
            Self::Append(reader) => reader.read(client, lane, limit).await,
            Self::Claim(reader) => reader.read(client, lane, limit, under_way).await,
        }
    }

    /// Starts reading parked rows of a lane whose time has come, so many at most;
    /// those of one key in order, from its first.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn parked(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        match self {
            Self::Append(reader) => reader.parked(client, lane, limit).await,
            Self::Claim(reader) => reader.parked(client, lane, limit).await,
        }
    }

    /// The condition that a row `o` of the table is a parked one, of which
    /// `parked_position` and `parked_id` are known.
    pub fn same_row(&self) -> &str {
        match self {
            Self::Append(reader) => reader.same_row(),
            Self::Claim(reader) => reader.same_row(),
        }
    }

    /// How many rows of a lane wait to be published, up to
    /// [`PENDING_COUNTED`](super::reader::PENDING_COUNTED), and the oldest one's age
    /// in seconds, if there is one and the table tells.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pending(&self, client: &Client, lane: &Lane) -> Result<(i64, Option<f64>), Error> {
        match self {
            Self::Append(reader) => reader.pending(client, &lane.buckets, &lane.cursor).await,
            Self::Claim(reader) => reader.pending(client, &lane.buckets).await,
        }
    }

    /// A lane's cursor after a chunk, as [`Cursor::advance`] has it; that of the
    /// claim engine never moves.
    pub fn advance(
        &self,
        lane: &Lane,
        until: &Snapshot,
        last: Option<Position>,
        exhausted: bool,
    ) -> Cursor {
        match self {
            Self::Append(_) => lane.cursor.advance(until, last, exhausted),
            Self::Claim(_) => lane.cursor.clone(),
        }
    }

    /// How rows are retired, if they are.
    pub fn retire(&self) -> Option<&Arc<Retire>> {
        match self {
            Self::Append(_) => None,
            Self::Claim(reader) => Some(reader.retire()),
        }
    }

    /// Whether published rows have to be retired.
    pub fn retires(&self) -> bool {
        matches!(self, Self::Claim(_))
    }

    /// What becomes of a chunk's rows. `unpublished` and `retried` are as of
    /// [`Settlement::new`]; `ids` are those of all the chunk's rows, if this source
    /// [retires](Self::retires) them.
    pub fn settlement<'a>(
        &'a self,
        outbox: &'a Outbox,
        unpublished: Vec<UnpublishedRow>,
        retried: Vec<(Position, Option<String>)>,
        ids: &[RowId],
    ) -> Settlement<'a> {
        let published = |id: &&RowId| unpublished.iter().all(|row| row.position != id.position);
        let ids = ids.iter().filter(published).map(|row| row.id.clone()).collect();
        let retirement = self.retirement(ids);
        Settlement::new(outbox, unpublished, retried).retiring(retirement)
    }

    /// What is to become of these rows, by id, once they are published.
    fn retirement(&self, ids: Vec<String>) -> Option<Retirement<'_>> {
        match self {
            Self::Append(_) => None,
            Self::Claim(reader) => Some(reader.retirement(ids)),
        }
    }
}
