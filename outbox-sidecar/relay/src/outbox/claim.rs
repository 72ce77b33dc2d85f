//! The `claim` engine: rows that are not published yet, in order; each is
//! deleted or marked when it is.
//!
//! No row is locked while the broker is waited for. What keeps two relays apart
//! is the lease of the bucket, verified by the transaction that deletes or marks.
//! The next chunk is read while the last is still to be deleted or marked. Its rows are
//! then left out one by one, as a row that was committed late may stand between them.

use std::sync::Arc;

use bytes::BytesMut;
use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{OnPublished, Outbox},
    record::Mapping,
    sql_name::literal,
    window::Position,
};
use postgres_types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::{
    lease::{Lane, STORED_EVERYWHERE},
    parked,
    reader::{Chunk, PENDING_COUNTED},
    row::{Known, OutboxRow, bucket, select_list},
    settlement::Retirement,
};
use crate::{database::inspect::OutboxTable, error::Error};

/// The statements for one outbox table.
pub struct ClaimReader {
    outbox: String,
    read: String,
    /// With rows to leave out.
    read_beside: String,
    pending: String,
    retire: Arc<Retire>,
    parked: String,
    same_row: String,
}

impl ClaimReader {
    /// Writes the statements for an outbox, whose table is as it was found.
    pub fn new(outbox: &Outbox, table: &OutboxTable) -> Self {
        let (columns, claim) = (outbox.columns(), outbox.claim());
        let id = table.id.quoted();
        // What tells a dead letter from the others is a number. Where the order is
        // none, it is made from the id.
        let place = if table.position_is_number {
            format!("o.{}::int8", columns.position.quoted())
        } else {
            format!("hashtextextended(o.{id}::text, 0)")
        };
        let mapping = Mapping::new(outbox);
        // Which rows wait behind a parked one is told by leaving them out.
        let list = select_list(outbox, &mapping, &Known::fresh(&place));
        let age = columns.created_at.as_ref().map_or("NULL::float8".to_owned(), |created_at| {
            format!("extract(epoch FROM clock_timestamp() - {})::float8", created_at.quoted())
        });
        // One expression, of which the planner assumes that half of the rows meet it: by the
        // product of its parts it would take the table for almost empty, and sort all of it for
        // each chunk instead of walking along the order's index.
        let waiting = |others: &str| {
            format!(
                "FROM {table} AS o WHERE {unpublished} AND NOT EXISTS (
                     SELECT FROM outbox_sidecar.dead_letter AS dead
                     WHERE dead.outbox = $2 AND dead.position = {place} AND dead.message_id = o.{id}::text)
                 AND CASE WHEN {mine} AND NOT {waits}{others} THEN true ELSE false END",
                waits = parked::waits_or_is_parked(outbox, "o", "$2", &place),
                table = outbox.table.quoted(),
                mine = mine(outbox),
                unpublished = claim.unpublished(),
            )
        };
        let position = columns.position.quoted();
        // A row that somebody has deleted or marked is no longer there to be published.
        let same_row = format!("o.{id} = parked_id::{} AND {}", table.id_type, claim.unpublished());
        let read = |others: &str| {
            let waiting = waiting(others);
            format!("SELECT NULL::text, {list} {waiting} ORDER BY {position}, {id} LIMIT $3")
        };
        Self {
            outbox: outbox.name.clone(),
            read: read(""),
            // A hash table, where `<> ALL` would be a walk for each row.
            read_beside: read(&format!(" AND {place} NOT IN (SELECT unnest($4::int8[]))")),
            pending: format!(
                "SELECT count(*), max(age) FROM (SELECT {age} AS age {} LIMIT {PENDING_COUNTED}) AS waiting",
                waiting("")
            ),
            retire: Arc::new(Retire::new(outbox, &id, &table.id_type)),
            parked: parked::due(outbox, &mapping, &place, &same_row),
            same_row,
        }
    }

    /// Starts reading the first rows of a lane that are not published, so many at
    /// most, and none of those `under_way`.
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
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 4] = [
            (&lane.buckets, Type::INT4_ARRAY),
            (&self.outbox, Type::TEXT),
            (&limit, Type::INT8),
            (&under_way, Type::INT8_ARRAY),
        ];
        let rows = if under_way.is_empty() {
            client.query_typed_raw(&self.read, parameters.into_iter().take(3)).await
        } else {
            client.query_typed_raw(&self.read_beside, parameters).await
        };
        Ok(Chunk::of_cursor(rows.map_err(Error::database("read the outbox"))?, &lane.cursor))
    }

    /// Starts reading parked rows of a lane whose time has come, so many at most.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn parked(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        parked::read(client, &self.parked, &self.outbox, lane, limit).await
    }

    /// The condition that a row `o` of the table is a parked one, of `parked_id`.
    pub fn same_row(&self) -> &str {
        &self.same_row
    }

    /// How many rows wait, and the oldest one's age, as
    /// [`Reader::pending`](super::reader::Reader::pending) tells it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pending(
        &self,
        client: &Client,
        buckets: &[i32],
    ) -> Result<(i64, Option<f64>), Error> {
        let row = client
            .query_typed_one(
                &self.pending,
                &[(&buckets, Type::INT4_ARRAY), (&self.outbox, Type::TEXT)],
            )
            .await
            .map_err(Error::database("count the pending rows"))?;
        Ok((row.get(0), row.get(1)))
    }

    /// What is to become of these rows once they are published.
    pub fn retirement(&self, ids: Vec<String>) -> Retirement<'_> {
        Retirement { retire: &self.retire, ids }
    }

    /// How that is done.
    pub fn retire(&self) -> &Arc<Retire> {
        &self.retire
    }
}

/// How rows are retired by their ids.
#[derive(Clone, Debug)]
pub struct Retire {
    /// The statement, whose `$1` are the ids.
    pub alone: String,
    /// The same as a part of the statement that stores the cursor, whose `$9` are the ids.
    pub along: String,
    /// What the array of ids is for the database: of [`Id`]s in any case.
    pub ids: Type,
}

impl Retire {
    fn new(outbox: &Outbox, id: &str, id_type: &str) -> Self {
        let (ids, cast) = match id_type {
            // The common one as it is, without work for the database to read it.
            "uuid" => (Type::UUID_ARRAY, String::from("uuid[]")),
            other => (Type::TEXT_ARRAY, format!("text[]::{other}[]")),
        };
        let along = format!("{id} = ANY($9::{cast}) AND {STORED_EVERYWHERE}");
        Self {
            alone: retire(outbox, &format!("{id} = ANY($1::{cast})")),
            along: retire(outbox, &along),
            ids,
        }
    }
}

/// A row's id as a parameter, whatever its type is.
#[derive(Clone, Copy, Debug)]
pub struct Id<'a>(pub &'a str);

impl ToSql for Id<'_> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match *of {
            Type::UUID => Uuid::parse_str(self.0)?.to_sql(of, out),
            _ => self.0.to_sql(of, out),
        }
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::UUID | Type::TEXT)
    }

    to_sql_checked!();
}

/// What the rows of a chunk are retired by, in their order.
pub type RowIds = Arc<[RowId]>;

/// What a row is retired by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowId {
    /// Its place in the outbox, or what else tells it from the others.
    pub position: Position,
    /// Its id.
    pub id: String,
}

impl RowId {
    /// That of a row.
    pub fn of(row: &OutboxRow) -> Self {
        Self { position: row.position(), id: row.id().unwrap_or_default().to_owned() }
    }
}

/// The condition that a row is in one of the buckets `$1`.
fn mine(outbox: &Outbox) -> String {
    if outbox.buckets == 1 {
        // The parameter is mentioned so that the statement takes it.
        "$1::int4[] IS NOT NULL".to_owned()
    } else {
        format!("{} = ANY($1)", bucket(outbox))
    }
}

/// The statement that retires rows by their ids, `$1`, an array of text; for a few
/// rows, as the table is searched for them.
pub(crate) fn retire_few(outbox: &Outbox) -> String {
    let columns = outbox.columns();
    let id = columns.id.as_ref().map_or("NULL".to_owned(), |id| id.quoted());
    retire(outbox, &format!("{id}::text = ANY($1::text[])"))
}

fn retire(outbox: &Outbox, these: &str) -> String {
    let (name, claim) = (outbox.table.quoted(), outbox.claim());
    let these = format!("WHERE {these} AND {}", claim.unpublished());
    if claim.on_published == OnPublished::Delete {
        return format!("DELETE FROM {name} {these}");
    }
    let mut marks = Vec::new();
    if let Some(column) = &claim.published_at {
        marks.push(format!("{} = clock_timestamp()", column.quoted()));
    }
    if let Some(status) = &claim.status {
        marks.push(format!("{} = {}", status.column.quoted(), literal(&status.published)));
    }
    format!("UPDATE {name} SET {} {these}", marks.join(", "))
}
