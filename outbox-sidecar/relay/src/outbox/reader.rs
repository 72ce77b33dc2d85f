//! The rows of the next window, in order.

use std::pin::Pin;

use deadpool_postgres::Client;
use futures::TryStreamExt as _;
use outbox_sidecar_core::{
    config::Outbox,
    snapshot::Snapshot,
    window::{Cursor, Position},
};
use postgres_types::{FromSql, Type};
use tokio_postgres::{Row, RowStream};

use super::lease::Lane;
use crate::error::Error;

/// The statements for one outbox table.
pub struct Reader {
    head: String,
    resume: String,
    parked: String,
    pending: String,
    outbox: String,
}

/// One row of an outbox.
#[derive(Debug)]
pub struct OutboxRow {
    row: Row,
}

/// A chunk being read.
pub struct Chunk {
    rows: Pin<Box<RowStream>>,
    until: Option<Snapshot>,
    published: Snapshot,
}

/// The first column that a topic template adds.
const TEMPLATE_COLUMNS: usize = 11;

impl Reader {
    /// Writes the statements for an outbox.
    pub fn new(outbox: &Outbox) -> Self {
        let columns = &outbox.columns;
        let (position, xid) = (columns.position.quoted(), columns.xid.quoted());
        let table = outbox.table.quoted();
        // Looked for only while the outbox has parked rows at all.
        let waits = |outbox: &str| {
            let key = format!("{table}.{}::text", columns.key.quoted());
            format!(
                "CASE WHEN (SELECT EXISTS (SELECT FROM outbox_sidecar.parked AS p WHERE p.outbox = {outbox}))
                      THEN EXISTS (SELECT FROM outbox_sidecar.parked AS p
                                   WHERE p.outbox = {outbox} AND p.key_hash = hashtextextended({key}, 0)
                                     AND p.key = {key})
                      ELSE false END"
            )
        };
        let list = |waits: &str, attempts: &str| {
            let mut list = vec![
                format!("{position}::int8"),
                format!("{}::text", columns.id.quoted()),
                format!("{}::text", columns.key.quoted()),
                format!("{}::text", columns.event_type.quoted()),
                columns.payload.quoted(),
                columns.headers.quoted(),
                format!(
                    "extract(epoch FROM clock_timestamp() - {})::float8",
                    columns.created_at.quoted()
                ),
                if outbox.buckets > 1 {
                    format!("{}::int4", columns.bucket.quoted())
                } else {
                    "0".to_owned()
                },
                waits.to_owned(),
                attempts.to_owned(),
            ];
            list.extend(outbox.topic.columns().map(|column| format!("{}::text", column.quoted())));
            let list = list
                .iter()
                .enumerate()
                .map(|(index, expression)| format!("{expression} AS c{index}"));
            list.collect::<Vec<_>>().join(", ")
        };
        let mine = if outbox.buckets > 1 {
            format!("{} = ANY($1) AND ", columns.bucket.quoted())
        } else {
            // The parameter is mentioned so that the statement takes it.
            String::from("$1::int4[] IS NOT NULL AND ")
        };
        // The rows not visible in S0 are those at or above its xmax and those of
        // its list; whatever this statement sees is visible in S1, its own
        // snapshot. `+ 0` keeps the planner from walking the position index
        // through all that was published before.
        let head = format!(
            "SELECT s.until::text, r.* FROM (SELECT pg_current_snapshot() AS until) AS s
             LEFT JOIN LATERAL (
                 SELECT {list} FROM {table}
                 WHERE {mine}({xid} >= $2::text::xid8 OR {xid} = ANY($3::text[]::xid8[]))
                 ORDER BY {position} + 0 LIMIT $4
             ) AS r ON true ORDER BY r.c0",
            list = list(&waits("$5"), "0"),
        );
        let resume = format!(
            "SELECT NULL::text, {list} FROM {table}
             WHERE {mine}{position} > $2 AND pg_visible_in_snapshot({xid}, $3::text::pg_snapshot)
               AND NOT pg_visible_in_snapshot({xid}, $4::text::pg_snapshot)
             ORDER BY {position} LIMIT $5",
            list = list(&waits("$6"), "0"),
        );
        // Of each key the first parked row, if it is due; and those behind it, if
        // it was itself behind one that is gone.
        let parked = format!(
            "WITH due AS (
                 SELECT p.position, p.key, p.key_hash, p.attempts, p.retry_at FROM outbox_sidecar.parked AS p
                 WHERE p.outbox = $1 AND p.bucket = ANY ($2) AND p.retry_at <= statement_timestamp()
                   AND NOT EXISTS (SELECT FROM outbox_sidecar.parked AS f
                                   WHERE f.outbox = p.outbox AND f.key_hash = p.key_hash AND f.key = p.key
                                     AND f.position < p.position)
                 ORDER BY p.retry_at LIMIT $3)
             SELECT NULL::text, {list} FROM (
                 SELECT due.retry_at AS parked_due, due.position AS parked_first, r.* FROM due
                 CROSS JOIN LATERAL (
                     SELECT due.position AS parked_position, due.attempts AS parked_attempts
                     UNION ALL
                     (SELECT p.position, p.attempts FROM outbox_sidecar.parked AS p
                      WHERE due.attempts = 0 AND p.outbox = $1 AND p.key_hash = due.key_hash AND p.key = due.key
                        AND p.position > due.position
                      ORDER BY p.position LIMIT $3)) AS r
                 ORDER BY parked_due, parked_first, parked_position LIMIT $3) AS parked_rows
             JOIN {table} ON {table}.{position} = parked_position
             ORDER BY parked_due, parked_first, parked_position",
            list = list("false", "parked_attempts"),
        );
        let pending = format!(
            "SELECT count(*), coalesce(max(age), 0) FROM (
                 SELECT extract(epoch FROM clock_timestamp() - {created_at})::float8 AS age FROM {table}
                 WHERE {mine}NOT pg_visible_in_snapshot({xid}, $2::text::pg_snapshot)
                   AND {xid} >= $3::text::xid8 AND {position} > $4 LIMIT {PENDING_COUNTED}) AS waiting",
            created_at = columns.created_at.quoted(),
        );
        Self { head, resume, parked, pending, outbox: outbox.name.clone() }
    }

    /// Starts reading a lane's next chunk, of so many rows at most: of the window
    /// that is open, or of a new one up to now. Rows arrive as they are taken from
    /// the stream.
    ///
    /// # Errors
    /// The database is away, or the table is not as configured.
    pub async fn read(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = match lane.cursor.open() {
            None => {
                let published = lane.cursor.published();
                let in_progress: Vec<String> =
                    published.in_progress().iter().map(u64::to_string).collect();
                let xmax = published.xmax().to_string();
                let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 5] = [
                    (&lane.buckets, Type::INT4_ARRAY),
                    (&xmax, Type::TEXT),
                    (&in_progress, Type::TEXT_ARRAY),
                    (&limit, Type::INT8),
                    (&self.outbox, Type::TEXT),
                ];
                client.query_typed_raw(&self.head, parameters).await
            }
            Some(open) => {
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
        Ok(Chunk {
            rows: Box::pin(rows),
            until: lane.cursor.open().map(|open| open.until.clone()),
            published: lane.cursor.published().clone(),
        })
    }

    /// Starts reading parked rows of these buckets whose time has come, so many at
    /// most; those of one key in order, from its first.
    ///
    /// # Errors
    /// The database is away, or the table is not as configured.
    pub async fn parked(&self, client: &Client, lane: &Lane, limit: usize) -> Result<Chunk, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters: [(&(dyn postgres_types::ToSql + Sync), Type); 3] =
            [(&self.outbox, Type::TEXT), (&lane.buckets, Type::INT4_ARRAY), (&limit, Type::INT8)];
        let rows = client
            .query_typed_raw(&self.parked, parameters)
            .await
            .map_err(Error::database("read parked rows"))?;
        let published = lane.cursor.published().clone();
        Ok(Chunk { rows: Box::pin(rows), until: Some(published.clone()), published })
    }

    /// How many rows wait to be published by a lane, counted up to
    /// [`PENDING_COUNTED`], and the oldest one's age in seconds.
    ///
    /// # Errors
    /// The database is away.
    pub async fn pending(
        &self,
        client: &Client,
        buckets: &[i32],
        cursor: &Cursor,
    ) -> Result<(i64, f64), Error> {
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
                    return Err(backwards(&self.published, &until));
                }
                self.until = Some(until);
            }
            // An empty window is one row without a position.
            if row.get::<_, Option<Position>>(1).is_some() {
                return Ok(Some(OutboxRow { row }));
            }
        }
        Ok(None)
    }

    /// The window's upper snapshot, known once [`next`](Self::next) has returned.
    pub fn until(&self) -> Option<&Snapshot> {
        self.until.as_ref()
    }
}

/// Rows of transactions whose ids are below the cursor would count as published.
fn backwards(published: &Snapshot, now: &Snapshot) -> Error {
    Error::Table(format!(
        "the database's transaction ids have gone backwards, from {} to {}: it was restored into another cluster. \
         To publish the rows that are there again, run UPDATE outbox_sidecar.cursor SET published = '{}', \
         window_until = NULL, window_after = NULL; and set the xid column of the outbox to pg_current_xact_id()",
        published.xmax(),
        now.xmax(),
        Snapshot::nothing(),
    ))
}

impl OutboxRow {
    /// The row's place.
    pub fn position(&self) -> Position {
        self.row.get(1)
    }

    /// The message id as text.
    pub fn id(&self) -> Option<&str> {
        self.row.get(2)
    }

    /// The Kafka key.
    pub fn key(&self) -> Option<&str> {
        self.row.get(3)
    }

    /// The event type.
    pub fn event_type(&self) -> Option<&str> {
        self.row.get(4)
    }

    /// The Kafka value; `None` is a tombstone.
    pub fn payload(&self) -> Option<&[u8]> {
        self.row.get::<_, Option<Bytes<'_>>>(5).map(|bytes| bytes.0)
    }

    /// The further headers, as JSON.
    pub fn headers(&self) -> Option<&[u8]> {
        self.row.get::<_, Option<Bytes<'_>>>(6).map(|bytes| bytes.0)
    }

    /// Seconds between the row's creation and its reading, on the database's clock.
    pub fn age_seconds(&self) -> f64 {
        self.row.get::<_, Option<f64>>(7).unwrap_or_default()
    }

    /// The bucket that it is in.
    pub fn bucket(&self) -> i32 {
        self.row.get(8)
    }

    /// Whether an earlier row of its key is parked, so that it has to wait.
    pub fn waits(&self) -> bool {
        self.row.get(9)
    }

    /// How often it was refused before.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.row.get::<_, i32>(10)).unwrap_or_default()
    }

    /// The values of the topic template's columns; null is the empty text.
    pub fn template_values(&self) -> impl Iterator<Item = &str> {
        (TEMPLATE_COLUMNS..self.row.len())
            .map(|index| self.row.get::<_, Option<&str>>(index).unwrap_or_default())
    }
}

/// A value's text or bytes as they came over the wire, without a copy.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(
        of: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        if *of != Type::JSONB {
            return Ok(Self(raw));
        }
        // The binary form of jsonb is a version number and the text.
        match raw.split_first() {
            Some((1, text)) => Ok(Self(text)),
            _ => Err("unknown version of the jsonb wire format".into()),
        }
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::JSONB | Type::JSON | Type::TEXT | Type::VARCHAR | Type::BYTEA)
    }
}
