//! The rows of the next window, in order.

use std::pin::Pin;

use deadpool_postgres::Client;
use futures::TryStreamExt as _;
use outbox_sidecar_core::{
    config::Outbox,
    record::Mapping,
    restore::is_restarting,
    snapshot::Snapshot,
    window::{Cursor, Position},
};
use postgres_types::Type;
use tokio_postgres::RowStream;

use super::{
    lease::Lane,
    parked,
    row::{Known, OutboxRow, bucket, columns_read, select_list},
};
use crate::error::Error;

/// The statements for one outbox table.
pub struct Reader {
    head: String,
    /// Of a snapshot that has a list.
    head_with_list: String,
    resume: String,
    /// After a restore: the first window.
    restart: Option<String>,
    pending: String,
    parked: String,
    same_row: String,
    outbox: String,
}

/// A chunk being read.
pub struct Chunk {
    rows: Pin<Box<RowStream>>,
    until: Option<Snapshot>,
    published: Snapshot,
}

impl Reader {
    /// Writes the statements for an outbox. `restored` is the highest position
    /// there was when the database was found to be restored, if it ever was.
    pub fn new(outbox: &Outbox, restored: Option<Position>) -> Self {
        let columns = outbox.columns();
        let (position, xid) = (columns.position.quoted(), columns.xid.quoted());
        let (place, mapping) = (format!("{position}::int8"), Mapping::new(outbox));
        let list = |row: &str, outbox_name: &str| {
            let waits = parked::waits(outbox, row, outbox_name);
            let known = Known { position: &place, waits: &waits, attempts: "0" };
            select_list(outbox, &mapping, &known)
        };
        let table = outbox.table.quoted();
        let mine = match &columns.bucket {
            Some(bucket) if outbox.buckets > 1 => format!("{} = ANY($1) AND ", bucket.quoted()),
            // The parameter is mentioned so that the statement takes it.
            _ => String::from("$1::int4[] IS NOT NULL AND "),
        };
        let age = columns.created_at.as_ref().map_or("NULL::float8".to_owned(), |created_at| {
            format!("extract(epoch FROM clock_timestamp() - {})::float8", created_at.quoted())
        });
        let (carried, carried_own) = (carried(outbox, "xmin"), carried(outbox, "r.xmin"));
        let not_carried = restored.map_or(String::new(), |until| {
            format!(" AND NOT ({position} <= {until} AND {carried})")
        });
        // An id of another cluster may be that of a transaction under way here.
        let ended = if restored.is_some() {
            format!(" AND pg_visible_in_snapshot({xid}, s.until)")
        } else {
            String::new()
        };
        // The rows not visible in S0 are those at or above its xmax and those of
        // its list; whatever this statement sees is visible in S1, its own
        // snapshot. Each of the two has its own scan, and each id of the list its
        // own lookup: for one condition with OR the planner reads all of a bucket's
        // rows. `+ 0` keeps it from walking the position index through all that was
        // published before.
        let read = columns_read(outbox, &mapping);
        let head = |of_list: &str| {
            format!(
                "SELECT s.until::text, r.* FROM (SELECT pg_current_snapshot() AS until) AS s
                 LEFT JOIN LATERAL (
                     SELECT {list} FROM (
                         SELECT {read} FROM {table} WHERE {mine}{xid} >= $2::text::xid8{ended}{not_carried}
                         {of_list}) AS o
                     ORDER BY {position} + 0 LIMIT $3
                 ) AS r ON true ORDER BY r.c0",
                list = list("o", "$4"),
            )
        };
        let of_list = format!(
            "UNION ALL
             SELECT late.* FROM unnest($5::text[]::xid8[]) AS listed(id) CROSS JOIN LATERAL (
                 SELECT {read} FROM {table} WHERE {mine}{xid} = listed.id{ended}{not_carried} OFFSET 0) AS late"
        );
        let (head, head_with_list) = (head(""), head(&of_list));
        let resume = format!(
            "SELECT NULL::text, {list} FROM {table} AS o
             WHERE {mine}{position} > $2 AND pg_visible_in_snapshot({xid}, $3::text::pg_snapshot)
               AND NOT pg_visible_in_snapshot({xid}, $4::text::pg_snapshot){not_carried}
             ORDER BY {position} LIMIT $5",
            list = list("o", "$6"),
        );
        let restart = restored.map(|until| {
            format!(
                "SELECT NULL::text, {list} FROM {table} AS r
                 CROSS JOIN LATERAL (SELECT {bucket} AS own_bucket, {position} AS own_position, {xid} AS own_xid) AS own
                 WHERE {mine}{position} > $2 AND {position} <= {until}
                   AND (pg_visible_in_snapshot({xid}, $3::text::pg_snapshot) OR {carried_own})
                   AND NOT EXISTS (
                       SELECT FROM outbox_sidecar.origin AS o JOIN outbox_sidecar.restored_cursor AS b USING (outbox)
                       WHERE o.outbox = $4 AND b.bucket = own.own_bucket AND own.own_position <= o.restored_after
                         AND (pg_visible_in_snapshot(own.own_xid, b.published)
                              OR own.own_position <= b.window_after
                                 AND pg_visible_in_snapshot(own.own_xid, b.window_until)))
                 ORDER BY {position} LIMIT $5",
                list = list("r", "$4"),
                bucket = bucket(outbox),
            )
        });
        let pending = format!(
            "SELECT count(*), max(age) FROM (
                 SELECT {age} AS age FROM {table}
                 WHERE {mine}NOT pg_visible_in_snapshot({xid}, $2::text::pg_snapshot)
                   AND {xid} >= $3::text::xid8 AND {position} > $4{not_carried}
                 LIMIT {PENDING_COUNTED}) AS waiting"
        );
        let same_row = format!("o.{position} = parked_position");
        let parked = parked::due_with_those_behind(outbox, &mapping, &place, &same_row);
        Self {
            head,
            head_with_list,
            resume,
            restart,
            pending,
            parked,
            same_row,
            outbox: outbox.name.clone(),
        }
    }

    /// Starts reading a lane's next chunk, of so many rows at most: of the window
    /// that is open, or of a new one up to now. Rows arrive as they are taken from
    /// the stream.
    ///
    /// # Errors
    /// The database is away, or the table is not as configured.
    pub async fn read(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match (lane.cursor.open(), self.restart_of(&lane.cursor)) {
            (None, _) => {
                let published = lane.cursor.published();
                let in_progress: Vec<String> =
                    published.in_progress().iter().map(u64::to_string).collect();
                let xmax = published.xmax().to_string();
                let of_both: [(&(dyn postgres_types::ToSql + Sync), Type); 4] = [
                    (&lane.buckets, Type::INT4_ARRAY),
                    (&xmax, Type::TEXT),
                    (&limit, Type::INT8),
                    (&self.outbox, Type::TEXT),
                ];
                if in_progress.is_empty() {
                    client.query_typed_raw(&self.head, of_both).await
                } else {
                    let list: (&(dyn postgres_types::ToSql + Sync), Type) =
                        (&in_progress, Type::TEXT_ARRAY);
                    client
                        .query_typed_raw(&self.head_with_list, of_both.into_iter().chain([list]))
                        .await
                }
            }
            (Some(open), Some(restart)) => {
                let until = open.until.to_string();
                let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 5] = [
                    (&lane.buckets, Type::INT4_ARRAY),
                    (&open.after, Type::INT8),
                    (&until, Type::TEXT),
                    (&self.outbox, Type::TEXT),
                    (&limit, Type::INT8),
                ];
                client.query_typed_raw(restart, parameters).await
            }
            (Some(open), None) => {
                let (until, published) =
                    (open.until.to_string(), lane.cursor.published().to_string());
                let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 6] = [
                    (&lane.buckets, Type::INT4_ARRAY),
                    (&open.after, Type::INT8),
                    (&until, Type::TEXT),
                    (&published, Type::TEXT),
                    (&limit, Type::INT8),
                    (&self.outbox, Type::TEXT),
                ];
                client.query_typed_raw(&self.resume, parameters).await
            }
        };
        let rows = rows.map_err(Error::database("read the outbox"))?;
        Ok(Chunk::of_cursor(rows, &lane.cursor))
    }

    /// Starts reading parked rows of a lane whose time has come, so many at most;
    /// those of one key in order, from its first.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn parked(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        parked::read(client, &self.parked, &self.outbox, lane, limit).await
    }

    /// The condition that a row `o` of the table is a parked one, of `parked_position`.
    pub fn same_row(&self) -> &str {
        &self.same_row
    }

    fn restart_of(&self, cursor: &Cursor) -> Option<&str> {
        self.restart.as_deref().filter(|_| is_restarting(cursor))
    }

    /// How many rows wait to be published by a lane, counted up to
    /// [`PENDING_COUNTED`], and the oldest one's age in seconds, if there is one and the
    /// table tells.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pending(
        &self,
        client: &Client,
        buckets: &[i32],
        cursor: &Cursor,
    ) -> Result<(i64, Option<f64>), Error> {
        let published = cursor.published();
        let after = cursor.open().map_or(Position::MIN, |open| open.after);
        let row = client
            .query_typed_one(
                &self.pending,
                &[
                    (&buckets, Type::INT4_ARRAY),
                    (&published.to_string(), Type::TEXT),
                    (&published.xmin().to_string(), Type::TEXT),
                    (&after, Type::INT8),
                ],
            )
            .await
            .map_err(Error::database("count the pending rows"))?;
        Ok((row.get(0), row.get(1)))
    }
}

/// Pending rows are counted up to here: an exact number beyond it is worth less
/// than the scan it costs.
pub const PENDING_COUNTED: i64 = 100_000;

impl Chunk {
    /// Rows of another statement with [`select_list`] behind a null.
    pub(crate) fn of(rows: RowStream) -> Self {
        Self { rows: Box::pin(rows), until: None, published: Snapshot::nothing() }
    }

    /// A chunk behind a cursor.
    pub(super) fn of_cursor(rows: RowStream, cursor: &Cursor) -> Self {
        Self {
            rows: Box::pin(rows),
            until: cursor.open().map(|open| open.until.clone()),
            published: cursor.published().clone(),
        }
    }

    /// The next row, as it comes over the wire.
    ///
    /// # Errors
    /// The database is away, or is not the one that the cursor is from.
    pub async fn next(&mut self) -> Result<Option<OutboxRow>, Error> {
        while let Some(row) =
            self.rows.try_next().await.map_err(Error::database("read the outbox"))?
        {
            if self.until.is_none()
                && let Some(until) = row.get::<_, Option<&str>>(0)
            {
                let until: Snapshot =
                    until.parse().map_err(|error| Error::Table(format!("{error}")))?;
                if until.xmax() < self.published.xmax() {
                    // Rows of transactions whose ids are below the cursor would count as published.
                    return Err(Error::AnotherDatabase);
                }
                self.until = Some(until);
            }
            // An empty window is one row without a position.
            if let Some(row) = OutboxRow::new(row) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// The window's upper snapshot, known once [`next`](Self::next) has returned.
    pub fn until(&self) -> Option<&Snapshot> {
        self.until.as_ref()
    }
}

/// Whether a row was carried over by a restore: [`outbox_sidecar_core::restore::carried`].
/// `tuple` is the row's system column, `xmin`.
pub(super) fn carried(outbox: &Outbox, tuple: &str) -> String {
    let xid = outbox.columns().xid.quoted();
    format!("({xid} >= pg_snapshot_xmax(pg_current_snapshot()) OR age({tuple}) > age({xid}::xid))")
}
