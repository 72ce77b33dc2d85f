//! The rows of a replay, in order.

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::Outbox, record::Mapping, snapshot::Snapshot, sql_name::ColumnName, window::Position,
};
use postgres_types::{ToSql, Type};

use super::{
    Filter,
    record::{Record, seconds},
};
use crate::{
    error::Error,
    outbox::{
        parked::not_waiting,
        reader::Chunk,
        row::{Known, bucket, select_list},
    },
};

/// What a replay would publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// How many rows.
    pub rows: i64,
    /// The first one's position.
    pub first: Option<Position>,
    /// The last one's position.
    pub last: Option<Position>,
}

/// The statements for one outbox and filter.
pub(super) struct Rows {
    outbox: String,
    filter: Filter,
    read: String,
    count: String,
    last: String,
}

impl Rows {
    pub(super) fn new(outbox: &Outbox, filter: &Filter) -> Self {
        let columns = outbox.columns();
        let table = outbox.table.quoted();
        let (position, xid) = (columns.position.quoted(), columns.xid.quoted());
        // What a table does not tell, no row has.
        let told = |column: &Option<ColumnName>, null: &str| {
            column.as_ref().map_or_else(|| null.to_owned(), |column| column.quoted())
        };
        // Only what its bucket's cursor has passed and is published: by its snapshot, in
        // the window under way, or in the database of before a restore.
        let chosen = format!(
            "($2::text IS NULL OR {key}::text = $2) AND ($3::text IS NULL OR {id}::text = $3)
             AND ($4::float8 IS NULL OR {created_at} >= to_timestamp($4))
             AND ($5::float8 IS NULL OR {created_at} < to_timestamp($5))
             AND {published} AND EXISTS (
                 SELECT FROM outbox_sidecar.cursor AS c LEFT JOIN outbox_sidecar.origin AS o USING (outbox)
                 WHERE c.outbox = $1 AND c.bucket = own.own_bucket
                   AND (pg_visible_in_snapshot(own.own_xid, c.published)
                        OR own.own_position <= c.window_after AND pg_visible_in_snapshot(own.own_xid, c.window_until)
                        OR own.own_position <= o.restored_until AND c.published::text <> '{nothing}'))",
            key = columns.key.quoted(),
            id = told(&columns.id, "NULL"),
            created_at = told(&columns.created_at, "NULL::timestamptz"),
            nothing = Snapshot::nothing(),
            published = not_waiting("own.own_position"),
        );
        let place = format!("{position}::int8");
        let list = select_list(outbox, &Mapping::new(outbox), &Known::fresh(&place));
        let rows = format!(
            "{table} AS r
             CROSS JOIN LATERAL (SELECT {bucket} AS own_bucket, {position} AS own_position, {xid} AS own_xid) AS own",
            bucket = bucket(outbox),
        );
        Self {
            outbox: outbox.name.clone(),
            filter: filter.clone(),
            read: format!(
                "SELECT NULL::text, {list} FROM {rows} WHERE {chosen} AND {position} > $6 AND {position} <= $7 ORDER BY {position} LIMIT $8"
            ),
            count: format!(
                "SELECT count(*), min({position})::int8, max({position})::int8 FROM {rows} WHERE {chosen}"
            ),
            last: format!("SELECT max({position})::int8 FROM {table}"),
        }
    }

    /// The last position there is.
    pub(super) async fn last(&self, client: &Client) -> Result<Position, Error> {
        let row = client
            .query_typed_one(&self.last, &[])
            .await
            .map_err(Error::database("look for the last row"))?;
        Ok(row.get::<_, Option<Position>>(0).unwrap_or(Position::MIN))
    }

    pub(super) async fn count(&self, client: &Client) -> Result<Found, Error> {
        let (since, until) = (self.filter.since.map(seconds), self.filter.until.map(seconds));
        let row = client
            .query_typed_one(
                &self.count,
                &[
                    (&self.outbox, Type::TEXT),
                    (&self.filter.key, Type::TEXT),
                    (&self.filter.message_id, Type::TEXT),
                    (&since, Type::FLOAT8),
                    (&until, Type::FLOAT8),
                ],
            )
            .await
            .map_err(Error::database("count the rows to replay"))?;
        Ok(Found { rows: row.get(0), first: row.get(1), last: row.get(2) })
    }

    /// Starts reading the next rows, behind the record's place.
    pub(super) async fn read(
        &self,
        client: &Client,
        record: &Record,
        limit: usize,
    ) -> Result<Chunk, Error> {
        let (since, until) = (self.filter.since.map(seconds), self.filter.until.map(seconds));
        let after = record.position.unwrap_or(Position::MIN);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters: [(&(dyn ToSql + Sync), Type); 8] = [
            (&self.outbox, Type::TEXT),
            (&self.filter.key, Type::TEXT),
            (&self.filter.message_id, Type::TEXT),
            (&since, Type::FLOAT8),
            (&until, Type::FLOAT8),
            (&after, Type::INT8),
            (&record.through, Type::INT8),
            (&limit, Type::INT8),
        ];
        let rows = client
            .query_typed_raw(&self.read, parameters)
            .await
            .map_err(Error::database("read the rows to replay"))?;
        Ok(Chunk::of(rows))
    }
}
