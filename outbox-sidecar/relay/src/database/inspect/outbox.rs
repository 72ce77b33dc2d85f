//! What an engine needs of an outbox table.

use deadpool_postgres::Client;
use outbox_sidecar_core::{
    config::{Claim, Engine, OnPublished, Outbox, OutboxColumns, Preset},
    ddl::bucket_column,
    record::Mapping,
    sql_name::{ColumnName, literal},
};

use super::{Finding, catalog::Catalog};
use crate::error::Error;

const WHOLE_NUMBERS: &[&str] = &["int8", "int4", "int2"];
const TIMES: &[&str] = &["timestamptz", "timestamp"];
const ORDERS: &[&str] = &["int8", "int4", "int2", "timestamptz", "timestamp", "uuid"];

/// What the statements have to know of the table.
#[derive(Clone, Debug)]
pub struct OutboxTable {
    /// The column that tells rows apart; the place, if the table has no ids.
    pub id: ColumnName,
    /// Its type, as it is written in SQL.
    pub id_type: String,
    /// Whether the order is a number that is never null.
    pub position_is_number: bool,
}

/// Everything that an outbox table lacks, and what is known of it.
///
/// # Errors
/// The database is away.
pub async fn inspect_outbox(
    client: &Client,
    outbox: &Outbox,
) -> Result<(OutboxTable, Vec<Finding>), Error> {
    let columns = outbox.columns();
    let id = columns.id.clone().unwrap_or_else(|| columns.position.clone());
    let Some(table) = Catalog::of(client, &outbox.table).await? else {
        let found = OutboxTable { id, id_type: "text".into(), position_is_number: false };
        return Ok((found, vec![Catalog::absent(&outbox.table, &init_command(outbox))]));
    };
    let mut findings = Vec::new();
    let mut need = |column: &ColumnName, types: &[&str], definition: &str| {
        let (name, quoted) = (column.as_str(), column.quoted());
        findings.extend(table.column_problem(name, &quoted, types, definition));
    };
    let claims = outbox.engine() == Engine::Claim;
    let has_position = table.column(columns.position.as_str()).is_some();
    if !claims {
        need(&columns.position, &["int8", "int4"], "bigint GENERATED ALWAYS AS IDENTITY");
        need(&columns.xid, &["xid8"], "xid8 NOT NULL DEFAULT pg_current_xact_id()");
    } else if has_position {
        need(&columns.position, ORDERS, "bigint GENERATED ALWAYS AS IDENTITY");
    }
    if let Some(column) = &columns.id {
        need(column, &[], "uuid NOT NULL DEFAULT gen_random_uuid()");
    }
    need(&columns.key, &[], "text");
    if let Some(column) = &columns.event_type {
        need(column, &[], "text");
    }
    need(&columns.payload, &["jsonb", "json", "text", "varchar", "bytea"], "jsonb");
    if let Some(column) = &columns.headers {
        need(column, &["jsonb", "json"], "jsonb NOT NULL DEFAULT '{}'");
    }
    if let Some(column) = &columns.created_at {
        need(column, TIMES, "timestamptz NOT NULL DEFAULT clock_timestamp()");
    }
    if let Some(column) = columns.bucket.as_ref().filter(|_| outbox.buckets > 1) {
        need(column, &["int2", "int4", "int8"], &bucket_column(outbox));
    }
    for column in Mapping::new(outbox).columns() {
        need(column, &[], "text");
    }
    if claims {
        let claim = outbox.claim();
        if let Some(column) = &claim.published_at {
            need(column, TIMES, "timestamptz");
        }
        if let Some(status) = &claim.status {
            let first = status.pending.first().map(String::as_str).unwrap_or_default();
            need(&status.column, &[], &format!("text NOT NULL DEFAULT {}", literal(first)));
        }
        if !has_position {
            findings.push(no_order(outbox, &columns));
        }
        findings.extend(identity(outbox, &id, &table));
    }
    findings.extend(indexes(outbox, &columns, &id, &table));
    findings.extend(privileges(outbox, &table));
    let position = table.column(columns.position.as_str());
    let found = OutboxTable {
        id_type: table.column(id.as_str()).map_or("text".into(), |c| c.sql_type.clone()),
        position_is_number: position
            .is_some_and(|c| c.not_null && WHOLE_NUMBERS.contains(&c.kind.as_str())),
        id,
    };
    Ok((found, findings))
}

fn init_command(outbox: &Outbox) -> String {
    let preset = match outbox.preset {
        None => "",
        Some(Preset::Debezium) => " --preset debezium",
        Some(Preset::OpenOutbox) => " --preset openOutbox",
    };
    format!("outbox-sidecar init --outbox {}{preset}", outbox.table)
}

fn no_order(outbox: &Outbox, columns: &OutboxColumns) -> Finding {
    let (table, position) = (outbox.table.quoted(), columns.position.quoted());
    Finding::fatal(
        format!(
            "column `{}` is missing, and without it nothing says in which order rows were written",
            columns.position
        ),
        format!(
            "ALTER TABLE {table} ADD COLUMN {position} bigint GENERATED ALWAYS AS IDENTITY;\n\
             or name in `columns.position` a column that says it: a number from a sequence, a timestamp, or an id that is a UUIDv7"
        ),
    )
}

/// The `claim` engine deletes and marks by id.
fn identity(outbox: &Outbox, id: &ColumnName, table: &Catalog) -> Vec<Finding> {
    let Some(column) = table.column(id.as_str()) else { return Vec::new() };
    let (name, quoted) = (outbox.table.quoted(), id.quoted());
    let mut findings = Vec::new();
    if !column.not_null {
        findings.push(Finding::fatal(
            format!(
                "column `{id}` may be null, and such a row could never be told to be published"
            ),
            format!("ALTER TABLE {name} ALTER COLUMN {quoted} SET NOT NULL;"),
        ));
    }
    if !table.has_index(&[id.as_str()], true) {
        findings.push(Finding::fatal(
            format!("column `{id}` has no unique index, so one row could be taken for another"),
            format!("CREATE UNIQUE INDEX ON {name} ({quoted});"),
        ));
    }
    findings
}

fn indexes(
    outbox: &Outbox,
    columns: &OutboxColumns,
    id: &ColumnName,
    table: &Catalog,
) -> Vec<Finding> {
    let name = outbox.table.quoted();
    let mut wanted: Vec<(Vec<&ColumnName>, String)> = Vec::new();
    let bucket = columns.bucket.as_ref().filter(|_| outbox.buckets > 1);
    match outbox.engine() {
        Engine::Append => {
            for column in [&columns.xid, &columns.position] {
                wanted.push((bucket.into_iter().chain([column]).collect(), String::new()));
            }
        }
        Engine::Claim if columns.position == *id => {}
        Engine::Claim => wanted.push((vec![&columns.position], waiting(&outbox.claim()))),
    }
    let absent = |column: &&ColumnName| table.column(column.as_str()).is_none();
    let missing = wanted.into_iter().filter(|(index, _)| {
        let names: Vec<_> = index.iter().map(|column| column.as_str()).collect();
        // A missing column is said already.
        !index.iter().any(&absent) && !table.has_index(&names, false)
    });
    missing
        .map(|(index, condition)| {
            let list = |text: fn(&ColumnName) -> String| {
                index.iter().map(|column| text(column)).collect::<Vec<_>>().join(", ")
            };
            Finding::advised(
                format!(
                    "no index begins with ({}): reading goes through the whole table",
                    list(ToString::to_string)
                ),
                format!("CREATE INDEX ON {name} ({}){condition};", list(ColumnName::quoted)),
            )
        })
        .collect()
}

/// For an index that holds only the rows that wait.
fn waiting(claim: &Claim) -> String {
    match claim.on_published {
        OnPublished::Delete => String::new(),
        OnPublished::Mark => format!(" WHERE {}", claim.unpublished()),
    }
}

fn privileges(outbox: &Outbox, table: &Catalog) -> Vec<Finding> {
    let (needed, what_for): (&[&str], _) = match (outbox.engine(), outbox.claim().on_published) {
        (Engine::Append, _) => (&["SELECT"], "to read rows"),
        (Engine::Claim, OnPublished::Delete) => {
            (&["SELECT", "DELETE"], "to read rows and to delete published ones")
        }
        (Engine::Claim, OnPublished::Mark) => {
            (&["SELECT", "UPDATE"], "to read rows and to mark published ones")
        }
    };
    let mut findings = Vec::from_iter(table.privilege_problem(needed, what_for));
    if !needed.contains(&"DELETE") {
        let old = table.privilege_problem(&["DELETE"], "to delete old rows");
        findings.extend(old.map(Finding::not_fatal));
    }
    findings
}
