//! The SQL of new outboxes and inboxes: printed, or applied.

use std::path::PathBuf;

use outbox_sidecar_core::{
    config::{Config, Database, Outbox, Preset},
    ddl,
    sql_name::TableName,
};

use crate::{check, database, error::Error};

/// What to make.
#[derive(Clone, Debug, clap::Args)]
pub struct Wanted {
    /// An outbox table, `table` or `schema.table`; may be given several times.
    #[arg(long, value_name = "NAME", required_unless_present_any = ["inbox", "config"])]
    outbox: Vec<TableName>,
    /// An inbox table, likewise.
    #[arg(long, value_name = "NAME")]
    inbox: Vec<TableName>,
    /// The schema of the tables that are named without one.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// The outbox table of another tool: debezium or openOutbox.
    #[arg(long, value_name = "NAME", value_parser = preset)]
    preset: Option<Preset>,
    /// Divide outbox tables into partitions by day.
    #[arg(long)]
    partitioned: bool,
    /// Make the tables that this configuration file names.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["outbox", "inbox", "schema", "preset"])]
    config: Option<PathBuf>,
    /// Apply the SQL to the database of the configuration file instead of printing it.
    #[arg(long, requires = "config")]
    apply: bool,
}

/// Why there is no SQL.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The configuration file.
    #[error(transparent)]
    File(#[from] check::Unusable),
    /// A table that cannot be.
    #[error("{0}")]
    Table(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] Error),
}

/// SQL, and where to apply it, if it is to be.
#[derive(Debug)]
pub struct Made {
    /// It may be run again.
    pub sql: String,
    database: Option<Database>,
}

impl Wanted {
    /// Writes the SQL.
    ///
    /// # Errors
    /// The configuration file is not usable, or a table cannot be as asked.
    pub fn sql(&self) -> Result<Made, NotMade> {
        let (outboxes, inboxes, database) = match &self.config {
            Some(file) => {
                let config = check::read(file)?;
                let inboxes: Vec<_> =
                    config.stored_inboxes().map(|inbox| inbox.table.clone()).collect();
                let Config { outboxes, database, .. } = config;
                if database.is_none() {
                    let problem = format!("{} names no table", file.display());
                    return Err(NotMade::Table(problem));
                }
                (outboxes, inboxes, database.filter(|_| self.apply))
            }
            None => {
                let outbox = |table| Ok(Outbox::of_table(self.qualified(table)?, self.preset));
                let outboxes: Result<_, NotMade> = self.outbox.iter().map(outbox).collect();
                let inboxes: Result<_, NotMade> =
                    self.inbox.iter().map(|table| self.qualified(table)).collect();
                (outboxes?, inboxes?, None)
            }
        };
        let mut parts = schemas(&outboxes, &inboxes);
        for outbox in &outboxes {
            if self.partitioned && outbox.columns().created_at.is_none() {
                return Err(NotMade::Table(format!(
                    "{} has no column for the time of creation, by which it would be partitioned",
                    outbox.table
                )));
            }
            parts.push(ddl::outbox(outbox, self.partitioned));
        }
        parts.extend(inboxes.iter().map(ddl::inbox));
        Ok(Made { sql: parts.join("\n"), database })
    }

    fn qualified(&self, table: &TableName) -> Result<TableName, NotMade> {
        match &self.schema {
            Some(schema) if table.schema().is_none() => format!("{schema}.{table}")
                .parse()
                .map_err(|error| NotMade::Table(format!("{error}"))),
            _ => Ok(table.clone()),
        }
    }
}

impl Made {
    /// Applies the SQL in one transaction; `false` if it is only to be printed.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn apply(&self) -> Result<bool, NotMade> {
        let Some(database) = &self.database else { return Ok(false) };
        let mut client = database::pool(database)?.get().await.map_err(Error::from)?;
        let transaction =
            client.transaction().await.map_err(Error::database("begin a transaction"))?;
        transaction.batch_execute(&self.sql).await.map_err(Error::database("make the tables"))?;
        transaction.commit().await.map_err(Error::database("commit the tables"))?;
        Ok(true)
    }
}

fn schemas(outboxes: &[Outbox], inboxes: &[TableName]) -> Vec<String> {
    let mut names: Vec<_> = outboxes
        .iter()
        .map(|outbox| &outbox.table)
        .chain(inboxes)
        .filter_map(|t| t.schema_quoted())
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| format!("CREATE SCHEMA IF NOT EXISTS {name};\n")).collect()
}

fn preset(name: &str) -> Result<Preset, String> {
    serde_json::from_value(name.into()).map_err(|_| "valid are debezium and openOutbox".to_owned())
}
