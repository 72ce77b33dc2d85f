//! Rotating the partitions of an outbox table: daily ones made ahead of time, old
//! ones dropped.
//!
//! Rows that find no partition of their day go into the DEFAULT one, so that no
//! producer's transaction ever fails for want of a partition. Where there is a
//! DEFAULT partition PostgreSQL detaches no other one `CONCURRENTLY`; so every
//! lock is waited for only for a moment, and tried again at the next round.

use deadpool_postgres::{Client, Pool, Transaction};
use jiff::Timestamp;
use outbox_sidecar_core::{
    config::{Engine, Outbox},
    partition::{days_ahead, default_partition},
    sql_name::{ColumnName, TableName},
};
use tokio_postgres::{Row, error::SqlState, types::Type};

use super::{parked::not_waiting, retention::passed};
use crate::error::Error;

/// How long producers may stand behind a lock that is waited for here.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '250ms'";

/// To attach a partition, the DEFAULT one is searched for rows that belong to the
/// new one, and locked meanwhile.
const SEARCH_TIMEOUT: &str = "SET LOCAL statement_timeout = '1s'";

/// What a partition takes from its table, beside constraints that come with the
/// attachment: everything but indexes, which come with it too, and the identity,
/// which belongs to the table.
const LIKE: &str = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMPRESSION";

/// An outbox table as the catalog has it.
struct Parent {
    table: TableName,
    /// Quoted, for SQL.
    owner: String,
    /// By range of the column for the creation time.
    by_time: bool,
    /// Whether the sidecar's user is the owner or a member of it.
    owned: bool,
    partitions: Vec<Partition>,
}

struct Partition {
    table: TableName,
    is_default: bool,
    /// Whether every row in it is older than the retention.
    old: bool,
}

/// What there is to delete from, after the partitions have been looked after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Where old rows are deleted one by one: the table, or where whole partitions
    /// are dropped the DEFAULT one.
    pub remainder: TableName,
    /// Rows that went with their partition.
    pub dropped: u64,
    /// Why partitions cannot be looked after, if so.
    pub problem: Option<String>,
}

/// Makes partitions for today and the coming days, and drops those whose rows are
/// all older than the retention and passed by every bucket. Does nothing for a
/// table without partitions. Any replica may do it at any time.
///
/// # Errors
/// The database is away.
pub async fn rotate(pool: &Pool, outbox: &Outbox) -> Result<Rotation, Error> {
    let mut client = pool.get().await?;
    let whole = |problem| Rotation { remainder: outbox.table.clone(), dropped: 0, problem };
    let Some(parent) = parent(&client, outbox).await? else { return Ok(whole(None)) };
    if !parent.by_time || outbox.engine() != Engine::Append {
        return Ok(whole(Some(format!(
            "the table {} is not partitioned by range of {} alone; its partitions are left alone, and old rows are \
             deleted one by one",
            outbox.table,
            outbox.columns().created_at.map_or("the creation time".to_owned(), |c| c.to_string()),
        ))));
    }
    if !parent.owned {
        return Ok(whole(Some(format!(
            "partitions of {} can be made and dropped by its owner only; rows without a partition go to the DEFAULT \
             one, and old rows are deleted one by one. GRANT {} to the sidecar's user to have partitions rotated",
            outbox.table, parent.owner
        ))));
    }
    let default = default_partition(&parent.table);
    let known_default = parent.partitions.iter().find(|partition| partition.is_default);
    let remainder = known_default.map_or(&default, |partition| &partition.table).clone();
    let mut problem = None;
    if known_default.is_none() {
        problem = attach(&mut client, &parent, &default, "DEFAULT").await?;
    }
    for day in days_ahead(Timestamp::now()) {
        let partition = day.partition(&parent.table);
        if parent.partitions.iter().any(|known| known.table == partition) {
            continue;
        }
        let bounds = format!("FOR VALUES FROM ('{}') TO ('{}')", day.begin(), day.end());
        problem = attach(&mut client, &parent, &partition, &bounds).await?.or(problem);
    }
    let mut dropped = 0;
    for partition in parent.partitions.iter().filter(|partition| partition.old) {
        dropped += drop_passed(&mut client, outbox, &parent, &partition.table).await?;
    }
    Ok(Rotation { remainder, dropped, problem })
}

async fn parent(client: &Client, outbox: &Outbox) -> Result<Option<Parent>, Error> {
    let created_at = outbox.columns().created_at;
    let rows = client
        .query_typed(
            "SELECT n.nspname::text, c.relname::text, quote_ident(pg_get_userbyid(c.relowner)),
                    p.partstrat = 'r' AND p.partnatts = 1 AND p.partattrs[0] = a.attnum,
                    pg_has_role(c.relowner, 'USAGE')
             FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
             JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
             LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = $2
             WHERE c.oid = to_regclass($1)",
            &[
                (&outbox.table.quoted(), Type::TEXT),
                (&created_at.as_ref().map(ColumnName::as_str), Type::TEXT),
            ],
        )
        .await
        .map_err(Error::database("look at the table's partitioning"))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let Ok(table) = TableName::of(row.get(0), row.get(1)) else { return Ok(None) };
    let by_time = row.get::<_, Option<bool>>(3).unwrap_or(false);
    let partitions = if by_time { partitions(client, outbox, &table).await? } else { Vec::new() };
    Ok(Some(Parent { table, owner: row.get(2), by_time, owned: row.get(4), partitions }))
}

async fn partitions(
    client: &Client,
    outbox: &Outbox,
    table: &TableName,
) -> Result<Vec<Partition>, Error> {
    // The bounds are printed and read under the same settings.
    let rows = client
        .query_typed(
            r"SELECT n.nspname::text, c.relname::text, pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT',
                     coalesce((regexp_match(pg_get_expr(c.relpartbound, c.oid), $$TO \('([^']+)'\)$$))[1]::timestamptz
                              < clock_timestamp() - $2 * interval '1 second', false)
              FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
              JOIN pg_namespace AS n ON n.oid = c.relnamespace
              WHERE i.inhparent = to_regclass($1) AND c.relkind = 'r'",
            &[
                (&table.quoted(), Type::TEXT),
                (&outbox.retention.get().as_secs_f64(), Type::FLOAT8),
            ],
        )
        .await
        .map_err(Error::database("list the table's partitions"))?;
    let partition = |row: &Row| {
        let table = TableName::of(row.get(0), row.get(1)).ok()?;
        Some(Partition { table, is_default: row.get(2), old: row.get(3) })
    };
    Ok(rows.iter().filter_map(partition).collect())
}

/// Makes a partition as its table's owner would. Returns why it cannot be made,
/// if that is worth telling.
async fn attach(
    client: &mut Client,
    parent: &Parent,
    partition: &TableName,
    bounds: &str,
) -> Result<Option<String>, Error> {
    let transaction = begin(client).await?;
    let table = parent.table.quoted();
    // Attaching lets producers go on, unlike making a table as a partition.
    let statements = format!(
        "{LOCK_TIMEOUT}; {SEARCH_TIMEOUT}; SET LOCAL ROLE {owner};
         CREATE TABLE {partition} (LIKE {table} {LIKE});
         ALTER TABLE {table} ATTACH PARTITION {partition} {bounds}",
        owner = parent.owner,
        partition = partition.quoted(),
    );
    let made = match transaction.batch_execute(&statements).await {
        Ok(()) => transaction.commit().await,
        refused => refused,
    };
    let Err(error) = made else {
        tracing::info!(table = %parent.table, %partition, "made a partition");
        return Ok(None);
    };
    match error.code() {
        // Another replica was faster (of two at the same moment one is told of the table's row
        // type); or there is a partition for this time already.
        Some(
            &SqlState::DUPLICATE_TABLE
            | &SqlState::DUPLICATE_OBJECT
            | &SqlState::UNIQUE_VIOLATION
            | &SqlState::INVALID_OBJECT_DEFINITION,
        ) => Ok(None),
        // Its rows are in the DEFAULT partition already, and stay there.
        Some(&SqlState::CHECK_VIOLATION) => Ok(None),
        Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED) => Ok(None),
        Some(&SqlState::QUERY_CANCELED) => Ok(Some(format!(
            "the DEFAULT partition of {table} has so many rows that the search through them before {partition} can be \
             attached takes more than a second, for which producers would have to wait; rows go on into it, and old \
             ones are deleted one by one. Attach partitions by hand, or wait until it has been emptied",
            table = parent.table
        ))),
        Some(code) if code.code().starts_with("42") => {
            let reason = Error::database("make it")(error);
            Ok(Some(format!(
                "the partition {partition} of {} cannot be made: {reason}; its rows go to the DEFAULT one",
                parent.table
            )))
        }
        _ => Err(Error::database("make a partition")(error)),
    }
}

/// Drops a partition if every bucket has passed every row in it; returns how many
/// rows that were.
async fn drop_passed(
    client: &mut Client,
    outbox: &Outbox,
    parent: &Parent,
    partition: &TableName,
) -> Result<u64, Error> {
    let transaction = begin(client).await?;
    let result = drop_within(&transaction, outbox, parent, partition).await;
    let dropped = match result {
        Ok(Some(rows)) => transaction.commit().await.map(|()| rows),
        Ok(None) => return Ok(0),
        Err(error) => Err(error),
    };
    match dropped {
        Ok(rows) => {
            tracing::info!(table = %parent.table, %partition, rows, "dropped a partition past its retention");
            Ok(u64::try_from(rows).unwrap_or_default())
        }
        // Somebody reads or writes for long, or another replica was faster.
        Err(error)
            if matches!(
                error.code(),
                Some(
                    &SqlState::LOCK_NOT_AVAILABLE
                        | &SqlState::T_R_DEADLOCK_DETECTED
                        | &SqlState::UNDEFINED_TABLE
                )
            ) =>
        {
            Ok(0)
        }
        Err(error) => Err(Error::database("drop a partition")(error)),
    }
}

async fn drop_within(
    transaction: &Transaction<'_>,
    outbox: &Outbox,
    parent: &Parent,
    partition: &TableName,
) -> Result<Option<i64>, tokio_postgres::Error> {
    let name = partition.quoted();
    // A transaction that has written to the partition ends first, and none comes
    // after it: whoever is not passed by the cursors is seen below.
    transaction.batch_execute(&format!("{LOCK_TIMEOUT}; LOCK TABLE {name} IN SHARE MODE")).await?;
    let statement = format!(
        "SELECT count(*), count(*) FILTER (WHERE ({} AND {}) IS NOT TRUE) FROM {name}",
        passed(outbox),
        not_waiting(&format!("{name}.{}", outbox.columns().position.quoted())),
    );
    let row = transaction.query_typed_one(&statement, &[(&outbox.name, Type::TEXT)]).await?;
    let (rows, waiting): (i64, i64) = (row.get(0), row.get(1));
    if waiting > 0 {
        tracing::debug!(%partition, waiting, "a partition past its retention has rows that are not published, or dead letters");
        return Ok(None);
    }
    transaction
        .batch_execute(&format!(
            "SET LOCAL ROLE {}; ALTER TABLE {} DETACH PARTITION {name}; DROP TABLE {name}",
            parent.owner,
            parent.table.quoted()
        ))
        .await?;
    Ok(Some(rows))
}

async fn begin(client: &mut Client) -> Result<Transaction<'_>, Error> {
    client.transaction().await.map_err(Error::database("begin a transaction"))
}
