//! What is read of a row, and the row as it came over the wire.

use std::collections::BTreeSet;

use outbox_sidecar_core::{
    config::Outbox,
    record::{self, Mapping, Stored},
    sql_name::ColumnName,
    window::Position,
};
use postgres_types::{FromSql, Type};
use tokio_postgres::Row;

/// Where the further columns of a mapping begin.
const FURTHER: usize = 13;

/// Expressions for what is known of a row beside its columns.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// An `int8` that tells the rows apart.
    pub position: &'a str,
    /// Whether an earlier row of its key is parked.
    pub waits: &'a str,
    /// How often it was refused before, an `int4`.
    pub attempts: &'a str,
}

impl<'a> Known<'a> {
    /// Of rows that wait for none and were never refused.
    pub fn fresh(position: &'a str) -> Self {
        Self { position, waits: "false", attempts: "0" }
    }
}

/// The list that a statement selects, `c0` and on. Its first column, not in the
/// list, is the statement's own.
pub fn select_list(outbox: &Outbox, mapping: &Mapping, known: &Known<'_>) -> String {
    let columns = outbox.columns();
    let text = |column: &Option<ColumnName>| {
        column.as_ref().map_or("NULL::text".to_owned(), |c| format!("{}::text", c.quoted()))
    };
    let created_at = columns.created_at.as_ref().map(ColumnName::quoted);
    let of_creation = |wanted: bool, null: &str, expression: &dyn Fn(&str) -> String| {
        created_at.as_deref().filter(|_| wanted).map_or_else(|| null.to_owned(), expression)
    };
    let mut list = vec![
        known.position.to_owned(),
        text(&columns.id),
        format!("{}::text", columns.key.quoted()),
        text(&columns.event_type),
        columns.payload.quoted(),
        columns.headers.as_ref().map_or("NULL::jsonb".to_owned(), ColumnName::quoted),
        of_creation(true, "NULL::float8", &|c| {
            format!("extract(epoch FROM clock_timestamp() - {c})::float8")
        }),
        of_creation(mapping.needs_time(), "NULL::text", &|c| {
            format!(
                r#"to_char({c}::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#
            )
        }),
        of_creation(mapping.needs_timestamp(), "NULL::int8", &|c| {
            format!("(extract(epoch FROM {c}::timestamptz) * 1000)::int8")
        }),
    ];
    list.extend([
        format!("({})::int4", bucket(outbox)),
        known.waits.to_owned(),
        known.attempts.to_owned(),
    ]);
    list.extend(mapping.columns().iter().map(|column| format!("{}::text", column.quoted())));
    let list = list.iter().enumerate().map(|(index, item)| format!("{item} AS c{index}"));
    list.collect::<Vec<_>>().join(", ")
}

/// The columns that [`select_list`] takes from the table, and the row's place in it.
pub fn columns_read(outbox: &Outbox, mapping: &Mapping) -> String {
    let columns = outbox.columns();
    let bucket = columns.bucket.as_ref().filter(|_| outbox.buckets > 1);
    let optional = [&columns.id, &columns.event_type, &columns.headers, &columns.created_at]
        .into_iter()
        .flatten();
    [&columns.position, &columns.key, &columns.payload]
        .into_iter()
        .chain(optional)
        .chain(bucket)
        .chain(mapping.columns())
        .map(ColumnName::quoted)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
        .join(", ")
}

/// The expression for a row's bucket: a column, or made from the key.
pub(crate) fn bucket(outbox: &Outbox) -> String {
    let columns = outbox.columns();
    match &columns.bucket {
        _ if outbox.buckets == 1 => "0".to_owned(),
        Some(bucket) => bucket.quoted(),
        // Rows without a key have a bucket too.
        None => format!(
            "(coalesce(hashtext({}::text), 0) & 2147483647) % {}",
            columns.key.quoted(),
            outbox.buckets
        ),
    }
}

/// One row of an outbox.
#[derive(Debug)]
pub struct OutboxRow {
    row: Row,
}

impl OutboxRow {
    /// A row of a statement with [`select_list`] behind one column of its own;
    /// `None` if there is no row in it, but only nulls.
    pub(super) fn new(row: Row) -> Option<Self> {
        row.get::<_, Option<Position>>(1).is_some().then_some(Self { row })
    }

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

    /// Its size on the wire, in bytes.
    pub fn bytes(&self) -> usize {
        self.row.raw_size_bytes()
    }

    /// Seconds between the row's creation and its reading, on the database's
    /// clock, if the table tells when a row was written.
    pub fn age_seconds(&self) -> Option<f64> {
        self.row.get(7)
    }

    /// The bucket that it is in.
    pub fn bucket(&self) -> i32 {
        self.row.get(10)
    }

    /// Whether an earlier row of its key is parked, so that it has to wait.
    pub fn waits(&self) -> bool {
        self.row.get(11)
    }

    /// How often it was refused before.
    pub fn attempts(&self) -> u32 {
        u32::try_from(self.row.get::<_, i32>(12)).unwrap_or_default()
    }

    /// What becomes a record.
    pub fn content(&self) -> record::Row<'_> {
        let payload: Option<Bytes<'_>> = self.row.get(5);
        let kind = self.row.columns()[5].type_();
        record::Row {
            id: self.id(),
            key: self.key(),
            event_type: self.row.get(4),
            payload: payload.map(|Bytes(bytes)| match *kind {
                Type::JSON | Type::JSONB => Stored::Json(bytes),
                Type::BYTEA => Stored::Bytes(bytes),
                _ => Stored::Text(bytes),
            }),
            headers: self.row.get::<_, Option<Bytes<'_>>>(6).map(|bytes| bytes.0),
            time: self.row.get(8),
            timestamp: self.row.get(9),
            values: (FURTHER..self.row.len()).map(|index| self.row.get(index)).collect(),
        }
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
