//! Rows of an outbox that cannot be published, in `outbox_sidecar.dead_letter`.

use deadpool_postgres::{Client, Transaction};
use outbox_sidecar_core::{
    config::{self, Engine},
    dead_letter::{DeadLetter, Filter, Place, Side},
    sql_name::ColumnName,
};
use serde_json::Value;
use tokio_postgres::types::Type;

use super::{Decision, Outcome, attempts, forward::Record};
use crate::{
    error::Error,
    outbox::{claim::retire_few, parked},
};

pub(super) async fn list(
    client: &Client,
    outbox: &str,
    filter: &Filter,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<DeadLetter>, Error> {
    let after = match after {
        Some(Place::Outbox { position, .. }) => *position,
        _ => i64::MIN,
    };
    let rows = client
        .query_typed(
            "SELECT position, message_id, key, attempts, reason, dead_at FROM outbox_sidecar.dead_letter
             WHERE outbox = $1 AND position > $2 AND ($3::text IS NULL OR key = $3)
               AND ($4::text IS NULL OR position::text = $4 OR message_id = $4)
             ORDER BY position LIMIT $5",
            &[
                (&outbox, Type::TEXT),
                (&after, Type::INT8),
                (&filter.key, Type::TEXT),
                (&filter.id, Type::TEXT),
                (&limit, Type::INT8),
            ],
        )
        .await
        .map_err(Error::database("list dead letters"))?;
    Ok(rows
        .iter()
        .map(|row| DeadLetter {
            side: Side::Outbox,
            name: outbox.to_owned(),
            id: row.get::<_, i64>(0).to_string(),
            message_id: row.get(1),
            key: row.get(2),
            origin: None,
            attempts: attempts(row.get(3)),
            reason: row.get(4),
            dead_at: row.get(5),
        })
        .collect())
}

pub(super) async fn row(
    client: &Client,
    outbox: &config::Outbox,
    position: &str,
) -> Result<Option<Value>, Error> {
    let statement = format!(
        "SELECT to_jsonb(o) FROM outbox_sidecar.dead_letter AS d JOIN {table} AS o ON {same_row}
         WHERE d.outbox = $1 AND d.position = $2::text::int8",
        table = outbox.table.quoted(),
        same_row = parked::row_of_dead_letter(outbox),
    );
    let rows = client
        .query_typed(&statement, &[(&outbox.name, Type::TEXT), (&position, Type::TEXT)])
        .await
        .map_err(Error::database("read a dead letter's row"))?;
    Ok(rows.first().map(|row| row.get(0)))
}

/// What goes to the dead-letter topic; none if it is no dead letter any more.
pub(super) async fn record(
    client: &Client,
    outbox: &config::Outbox,
    position: &str,
) -> Result<Option<Record>, Error> {
    let columns = outbox.columns();
    let text = |column: &Option<ColumnName>| {
        column.as_ref().map_or("NULL::text".to_owned(), |c| format!("o.{}::text", c.quoted()))
    };
    let statement = format!(
        "SELECT convert_to(d.key, 'UTF8'), o.{payload}, {headers}, d.message_id, {event_type}, d.attempts, d.reason
         FROM outbox_sidecar.dead_letter AS d JOIN {table} AS o ON {same_row}
         WHERE d.outbox = $1 AND d.position = $2::text::int8",
        payload = columns.payload.quoted(),
        headers = text(&columns.headers),
        event_type = text(&columns.event_type),
        table = outbox.table.quoted(),
        same_row = parked::row_of_dead_letter(outbox),
    );
    let rows = client
        .query_typed(&statement, &[(&outbox.name, Type::TEXT), (&position, Type::TEXT)])
        .await
        .map_err(Error::database("read a dead letter for its topic"))?;
    Ok(rows.first().map(Record::of))
}

/// A retry parks the rows anew, to be tried at once: the first of each key before
/// all that wait of it. To skip rows of the `claim` engine, they are deleted or
/// marked as if they had been published; otherwise they would be read again.
pub(super) async fn settle(
    transaction: &Transaction<'_>,
    outbox: &config::Outbox,
    decision: Decision,
    letters: &[DeadLetter],
) -> Result<Outcome, Error> {
    let positions: Vec<i64> = letters.iter().filter_map(|letter| letter.id.parse().ok()).collect();
    let rows = transaction
        .query_typed(
            "SELECT position FROM outbox_sidecar.dead_letter WHERE outbox = $1 AND position = ANY ($2)
             ORDER BY position FOR UPDATE",
            &[(&outbox.name, Type::TEXT), (&positions, Type::INT8_ARRAY)],
        )
        .await
        .map_err(Error::database("lock dead letters"))?;
    let present: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
    let done = match decision {
        Decision::Skip => {
            if outbox.engine() == Engine::Claim {
                let ids: Vec<_> =
                    letters.iter().filter_map(|letter| letter.message_id.as_deref()).collect();
                transaction
                    .execute_typed(&retire_few(outbox), &[(&ids, Type::TEXT_ARRAY)])
                    .await
                    .map_err(Error::database("delete or mark skipped rows"))?;
            }
            present.clone()
        }
        Decision::Retry => parked::revive(transaction, outbox, &present).await?,
    };
    transaction
        .execute_typed(
            "DELETE FROM outbox_sidecar.dead_letter WHERE outbox = $1 AND position = ANY ($2)",
            &[(&outbox.name, Type::TEXT), (&done, Type::INT8_ARRAY)],
        )
        .await
        .map_err(Error::database("settle dead letters"))?;
    let gone = present.iter().filter(|position| !done.contains(position));
    Ok(Outcome {
        gone: gone.map(i64::to_string).collect(),
        done: done.iter().map(i64::to_string).collect(),
    })
}
