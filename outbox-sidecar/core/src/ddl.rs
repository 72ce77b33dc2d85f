//! The SQL of a new outbox or inbox. It may be run again: what is there stays.

use crate::{
    config::{Engine, OnPublished, Outbox, OutboxColumns, Preset},
    record::Mapping,
    sql_name::{ColumnName, TableName, literal},
};

/// An outbox table as its configuration wants it.
///
/// A partitioned one is divided by days of `created_at`, and has a DEFAULT
/// partition, so that no insert ever fails for want of a partition.
pub fn outbox(outbox: &Outbox, partitioned: bool) -> String {
    let columns = outbox.columns();
    let table = &outbox.table;
    let claims = outbox.engine() == Engine::Claim;
    let mut lines = definitions(outbox, &columns, partitioned);
    let first = if claims { columns.id.as_ref() } else { Some(&columns.position) };
    let partition_key = columns.created_at.as_ref().filter(|_| partitioned);
    let primary: Vec<_> = first.into_iter().chain(partition_key).map(ColumnName::quoted).collect();
    lines.push(format!("PRIMARY KEY ({})", primary.join(", ")));
    let by = partition_key.map(|c| format!(" PARTITION BY RANGE ({})", c.quoted()));
    let numbered = partitioned && is_number(&columns);
    let mut sql = String::new();
    if numbered {
        // Identity columns of partitioned tables are for PostgreSQL 17 and later.
        sql.push_str(&format!("CREATE SEQUENCE IF NOT EXISTS {};\n", sequence(table).quoted()));
    }
    sql.push_str(&format!(
        "CREATE TABLE IF NOT EXISTS {} (\n    {}\n){};\n",
        table.quoted(),
        lines.join(",\n    "),
        by.unwrap_or_default()
    ));
    if numbered {
        sql.push_str(&format!(
            "ALTER SEQUENCE {} OWNED BY {}.{};\n",
            sequence(table).quoted(),
            table.quoted(),
            columns.position.quoted()
        ));
    }
    if partitioned {
        sql.push_str(&format!(
            "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} DEFAULT;\n",
            beside(table, "_default").quoted(),
            table.quoted()
        ));
    }
    for (index, condition) in indexes(outbox, &columns, partitioned) {
        sql.push_str(&create_index(table, &index, &condition));
    }
    sql
}

/// An inbox table. Its columns are fixed.
pub fn inbox(table: &TableName) -> String {
    let name = table.quoted();
    format!(
        "CREATE TABLE IF NOT EXISTS {name} (
    message_id   uuid PRIMARY KEY,
    topic        text NOT NULL,
    partition    integer NOT NULL,
    kafka_offset bigint NOT NULL,
    key          bytea,
    type         text,
    payload      bytea,
    headers      jsonb NOT NULL DEFAULT '{{}}',
    received_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    processed_at timestamptz,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,
    dead_at      timestamptz
);
CREATE INDEX IF NOT EXISTS {pending} ON {name} (topic, partition, kafka_offset)
    WHERE processed_at IS NULL AND dead_at IS NULL;
CREATE INDEX IF NOT EXISTS {dead} ON {name} (topic, partition, kafka_offset)
    WHERE dead_at IS NOT NULL AND processed_at IS NULL;
CREATE INDEX IF NOT EXISTS {received} ON {name} USING brin (received_at);
",
        pending = quoted_beside(table, "_pending"),
        dead = quoted_beside(table, "_dead"),
        received = quoted_beside(table, "_received_at"),
    )
}

/// The bucket column of an outbox, without its name.
pub fn bucket_column(outbox: &Outbox) -> String {
    format!(
        "smallint NOT NULL GENERATED ALWAYS AS ((hashtext({}::text) & 2147483647) % {}) STORED",
        outbox.columns().key.quoted(),
        outbox.buckets
    )
}

fn definitions(outbox: &Outbox, columns: &OutboxColumns, partitioned: bool) -> Vec<String> {
    let claims = outbox.engine() == Engine::Claim;
    let mut given: Vec<ColumnName> = Vec::new();
    let mut lines = Vec::new();
    // The same column may serve for several things; the first says what it is.
    let mut add = |column: &ColumnName, definition: String| {
        if !given.contains(column) {
            given.push(column.clone());
            lines.push(format!("{} {definition}", column.quoted()));
        }
    };
    if let Some(id) = columns.id.as_ref().filter(|id| **id == columns.position) {
        // A UUIDv7 of the application's: made by the database it would have no order.
        add(id, "uuid NOT NULL".into());
    }
    if is_number(columns) {
        let number = if partitioned {
            format!(
                "bigint NOT NULL DEFAULT nextval({})",
                literal(&sequence(&outbox.table).quoted())
            )
        } else {
            "bigint NOT NULL GENERATED ALWAYS AS IDENTITY".into()
        };
        add(&columns.position, number);
    }
    if !claims {
        add(&columns.xid, "xid8 NOT NULL DEFAULT pg_current_xact_id()".into());
    }
    if let Some(bucket) = columns.bucket.as_ref().filter(|_| outbox.buckets > 1) {
        add(bucket, bucket_column(outbox));
    }
    if let Some(id) = &columns.id {
        add(id, "uuid NOT NULL DEFAULT gen_random_uuid()".into());
    }
    let open_outbox = outbox.preset == Some(Preset::OpenOutbox);
    add(&columns.key, if open_outbox { "text" } else { "text NOT NULL" }.into());
    if let Some(event_type) = &columns.event_type {
        add(event_type, "text NOT NULL".into());
    }
    let (topic, mapping) = (outbox.topic(), Mapping::new(outbox));
    for column in mapping.columns() {
        let routes = topic.columns().any(|other| other == column);
        // One that is among the others is defined there.
        let elsewhere =
            [&columns.payload].into_iter().chain(&columns.headers).chain(&columns.created_at);
        if elsewhere.into_iter().all(|other| other != column) {
            add(column, if routes { "text NOT NULL" } else { "text" }.into());
        }
    }
    add(&columns.payload, if open_outbox { "bytea" } else { "jsonb" }.into());
    if let Some(headers) = &columns.headers {
        add(headers, "jsonb NOT NULL DEFAULT '{}'".into());
    }
    if let Some(created_at) = &columns.created_at {
        add(created_at, "timestamptz NOT NULL DEFAULT clock_timestamp()".into());
    }
    if claims {
        let claim = outbox.claim();
        if let Some(published_at) = &claim.published_at {
            add(published_at, "timestamptz".into());
        }
        if let Some(status) = &claim.status {
            let first = status.pending.first().map(String::as_str).unwrap_or_default();
            add(&status.column, format!("text NOT NULL DEFAULT {}", literal(first)));
        }
    }
    lines
}

/// Whether the order is a column of its own, and so a number.
fn is_number(columns: &OutboxColumns) -> bool {
    let position = Some(&columns.position);
    position != columns.created_at.as_ref() && position != columns.id.as_ref()
}

/// The indexes that the statements of the engine need, with their conditions.
fn indexes<'a>(
    outbox: &Outbox,
    columns: &'a OutboxColumns,
    partitioned: bool,
) -> Vec<(Vec<&'a ColumnName>, String)> {
    let bucket = columns.bucket.as_ref().filter(|_| outbox.buckets > 1);
    match outbox.engine() {
        Engine::Append => {
            let by = |column| bucket.into_iter().chain([column]).collect::<Vec<_>>();
            let mut indexes = vec![(by(&columns.xid), String::new())];
            if bucket.is_some() {
                indexes.push((by(&columns.position), String::new()));
            }
            indexes
        }
        // The primary key serves.
        Engine::Claim if Some(&columns.position) == columns.id.as_ref() => Vec::new(),
        Engine::Claim => {
            let claim = outbox.claim();
            let condition = match claim.on_published {
                OnPublished::Mark if !partitioned => format!(" WHERE {}", claim.unpublished()),
                _ => String::new(),
            };
            let index = [&columns.position].into_iter().chain(&columns.id).collect();
            vec![(index, condition)]
        }
    }
}

fn create_index(table: &TableName, columns: &[&ColumnName], condition: &str) -> String {
    let suffix: String = columns.iter().map(|column| format!("_{column}")).collect();
    let list: Vec<_> = columns.iter().map(|column| column.quoted()).collect();
    format!(
        "CREATE INDEX IF NOT EXISTS {} ON {} ({}){condition};\n",
        quoted_beside(table, &suffix),
        table.quoted(),
        list.join(", ")
    )
}

fn sequence(table: &TableName) -> TableName {
    beside(table, "_position_seq")
}

fn beside(table: &TableName, suffix: &str) -> TableName {
    table.with_suffix(suffix)
}

/// An index's name, which never has a schema.
fn quoted_beside(table: &TableName, suffix: &str) -> String {
    beside(table, suffix).without_schema().quoted()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sql(fields: Value, partitioned: bool) -> String {
        let mut all = json!({ "name": "things", "table": "shop.outbox" });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        super::outbox(&serde_json::from_value::<Outbox>(all).unwrap(), partitioned)
    }

    #[test]
    fn the_append_engine_gets_its_columns_and_indexes() {
        let sql = sql(json!({ "topic": "x.{aggregate_type}", "buckets": 4 }), false);
        for part in [
            r#"CREATE TABLE IF NOT EXISTS "shop"."outbox" ("#,
            r#""position" bigint NOT NULL GENERATED ALWAYS AS IDENTITY"#,
            r#"((hashtext("aggregate_id"::text) & 2147483647) % 4) STORED"#,
            r#""aggregate_type" text NOT NULL"#,
            r#"PRIMARY KEY ("position")"#,
            r#"CREATE INDEX IF NOT EXISTS "outbox_bucket_xid" ON "shop"."outbox" ("bucket", "xid");"#,
        ] {
            assert!(sql.contains(part), "{sql} lacks {part}");
        }
    }

    #[test]
    fn a_partitioned_one_has_a_default_partition() {
        let sql = sql(json!({ "topic": "x" }), true);
        for part in [
            r#"PRIMARY KEY ("position", "created_at")"#,
            r#"PARTITION BY RANGE ("created_at")"#,
            r#"CREATE TABLE IF NOT EXISTS "shop"."outbox_default" PARTITION OF "shop"."outbox" DEFAULT;"#,
            r#"nextval('"shop"."outbox_position_seq"')"#,
        ] {
            assert!(sql.contains(part), "{sql} lacks {part}");
        }
    }

    #[test]
    fn a_preset_has_its_own_names() {
        let sql = sql(json!({ "preset": "debezium" }), false);
        for part in [r#""aggregatetype" text NOT NULL"#, r#""aggregateid" text NOT NULL"#] {
            assert!(sql.contains(part), "{sql} lacks {part}");
        }
        assert!(!sql.contains("xid"), "{sql}");
    }
}
