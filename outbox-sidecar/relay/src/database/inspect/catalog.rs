//! What the catalog says of a table.

use std::collections::HashMap;

use deadpool_postgres::Client;
use outbox_sidecar_core::sql_name::TableName;
use tokio_postgres::types::Type;

use super::Finding;
use crate::error::Error;

/// A table as it is.
pub(super) struct Catalog {
    name: TableName,
    columns: HashMap<String, Column>,
    indexes: Vec<Index>,
    privileges: Vec<String>,
    user: String,
}

/// A column as it is.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The type's name in the catalog, such as `int8`.
    pub(super) kind: String,
    /// The type as it is written in SQL, such as `character varying(36)`.
    pub(super) sql_type: String,
    /// Whether it may not be null.
    pub(super) not_null: bool,
}

struct Index {
    unique: bool,
    partial: bool,
    /// The columns; empty texts for expressions.
    columns: Vec<String>,
}

impl Catalog {
    /// Looks at a table; `None` if there is none, or the user may not see it.
    pub(super) async fn of(client: &Client, name: &TableName) -> Result<Option<Self>, Error> {
        if let Some(schema) = name.schema() {
            let usable = client
                .query_typed(
                    "SELECT FROM pg_namespace WHERE nspname = $1 AND has_schema_privilege(oid, 'USAGE')",
                    &[(&schema, Type::TEXT)],
                )
                .await
                .map_err(Error::database("look at the table's schema"))?;
            if usable.is_empty() {
                return Ok(None);
            }
        }
        let table = name.quoted();
        let columns = client
            .query_typed(
                "SELECT a.attname::text, t.typname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull
                 FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped",
                &[(&table, Type::TEXT)],
            )
            .await
            .map_err(Error::database("look at the table's columns"))?;
        if columns.is_empty() {
            return Ok(None);
        }
        let columns = columns
            .iter()
            .map(|row| {
                let (kind, sql_type, not_null) = (row.get(1), row.get(2), row.get(3));
                (row.get(0), Column { kind, sql_type, not_null })
            })
            .collect();
        let indexes = client
            .query_typed(
                "SELECT i.indisunique, i.indpred IS NOT NULL,
                        ARRAY(SELECT coalesce(a.attname::text, '')
                              FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                              LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
                              WHERE k.place <= i.indnkeyatts ORDER BY k.place)
                 FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisvalid",
                &[(&table, Type::TEXT)],
            )
            .await
            .map_err(Error::database("look at the table's indexes"))?;
        let indexes = indexes
            .iter()
            .map(|row| Index { unique: row.get(0), partial: row.get(1), columns: row.get(2) })
            .collect();
        let privileges = client
            .query_typed_one(
                "SELECT current_user::text,
                        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
                              WHERE has_table_privilege(to_regclass($1), p)
                                 OR (p <> 'DELETE' AND has_any_column_privilege(to_regclass($1), p)))",
                &[(&table, Type::TEXT)],
            )
            .await
            .map_err(Error::database("look at the table's privileges"))?;
        let (user, privileges) = (privileges.get(0), privileges.get(1));
        Ok(Some(Self { name: name.clone(), columns, indexes, privileges, user }))
    }

    /// The finding for a table that is not there.
    pub(super) fn absent(name: &TableName, command: &str) -> Finding {
        Finding::fatal(
            format!("the table {name} does not exist yet, or may not be seen by this user"),
            command,
        )
    }

    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    /// What is wrong with a column of which one of these types is needed, the first
    /// of them best; any type if there is none.
    pub(super) fn column_problem(
        &self,
        name: &str,
        quoted: &str,
        types: &[&str],
        definition: &str,
    ) -> Option<Finding> {
        let table = self.name.quoted();
        match self.column(name) {
            None => Some(Finding::fatal(
                format!("column `{name}` is missing"),
                format!("ALTER TABLE {table} ADD COLUMN {quoted} {definition};"),
            )),
            Some(Column { kind, .. }) if !types.is_empty() && !types.contains(&kind.as_str()) => {
                Some(Finding::fatal(
                    format!("column `{name}` is {kind}, not {}", types.join(" or ")),
                    format!(
                        "ALTER TABLE {table} ALTER COLUMN {quoted} TYPE {first} USING {quoted}::{first};",
                        first = types.first().copied().unwrap_or("text")
                    ),
                ))
            }
            Some(_) => None,
        }
    }

    /// Whether an index begins with these columns; a unique one on all rows, if
    /// asked.
    pub(super) fn has_index(&self, columns: &[&str], unique: bool) -> bool {
        self.indexes.iter().any(|index| {
            (!unique || (index.unique && !index.partial))
                && index.columns.len() >= columns.len()
                && index.columns.iter().zip(columns).all(|(one, other)| one == other)
        })
    }

    /// The privileges that are missing, and what grants them.
    pub(super) fn privilege_problem(&self, needed: &[&str], what_for: &str) -> Option<Finding> {
        let missing: Vec<_> = needed
            .iter()
            .copied()
            .filter(|privilege| self.privileges.iter().all(|held| held != privilege))
            .collect();
        if missing.is_empty() {
            return None;
        }
        let missing = missing.join(", ");
        Some(Finding::fatal(
            format!("the user {} lacks {missing} on {}, {what_for}", self.user, self.name),
            format!(
                "GRANT {missing} ON {} TO \"{}\";",
                self.name.quoted(),
                self.user.replace('"', "\"\"")
            ),
        ))
    }
}
