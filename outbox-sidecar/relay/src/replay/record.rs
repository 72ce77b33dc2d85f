//! A replay as a row of `outbox_sidecar.replay`: what was asked for, by whom, and
//! how far it has come.

use deadpool_postgres::Client;
use jiff::Timestamp;
use outbox_sidecar_core::window::Position;
use postgres_types::{ToSql, Type};
use uuid::Uuid;

use super::{Filter, Progress};
use crate::error::Error;

/// One replay.
pub(super) struct Record {
    pub(super) id: Uuid,
    pub(super) outbox: String,
    pub(super) filter: Filter,
    /// The last position that was there when it was begun.
    pub(super) through: Position,
    pub(super) position: Option<Position>,
    pub(super) finished: bool,
    rows: i64,
    refused: i64,
}

impl Record {
    /// Writes down a new one.
    pub(super) async fn begin(
        client: &Client,
        outbox: &str,
        filter: Filter,
        actor: &str,
        through: Position,
    ) -> Result<Self, Error> {
        let record = Self {
            id: Uuid::new_v4(),
            outbox: outbox.to_owned(),
            filter,
            through,
            position: None,
            finished: false,
            rows: 0,
            refused: 0,
        };
        client
            .execute_typed(
                "INSERT INTO outbox_sidecar.replay (id, outbox, actor, key, message_id, since, until, through)
                 VALUES ($1, $2, $3, $4, $5, to_timestamp($6), to_timestamp($7), $8)",
                &[
                    (&record.id, Type::UUID),
                    (&record.outbox, Type::TEXT),
                    (&actor, Type::TEXT),
                    (&record.filter.key, Type::TEXT),
                    (&record.filter.message_id, Type::TEXT),
                    (&record.filter.since.map(seconds), Type::FLOAT8),
                    (&record.filter.until.map(seconds), Type::FLOAT8),
                    (&record.through, Type::INT8),
                ],
            )
            .await
            .map_err(Error::database("write down the replay"))?;
        Ok(record)
    }

    /// One that was begun before.
    pub(super) async fn load(client: &Client, id: Uuid) -> Result<Self, Error> {
        let rows = client
            .query_typed(
                "SELECT outbox, key, message_id, (extract(epoch FROM since) * 1000000)::int8,
                        (extract(epoch FROM until) * 1000000)::int8, through, position, rows, refused,
                        finished_at IS NOT NULL
                 FROM outbox_sidecar.replay WHERE id = $1",
                &[(&id, Type::UUID)],
            )
            .await
            .map_err(Error::database("read the replay"))?;
        let Some(row) = rows.first() else {
            return Err(Error::Table(format!("there is no replay {id} in outbox_sidecar.replay")));
        };
        let time = |index| {
            row.get::<_, Option<i64>>(index).and_then(|time| Timestamp::from_microsecond(time).ok())
        };
        Ok(Self {
            id,
            outbox: row.get(0),
            filter: Filter {
                key: row.get(1),
                message_id: row.get(2),
                since: time(3),
                until: time(4),
            },
            through: row.get(5),
            position: row.get(6),
            rows: row.get(7),
            refused: row.get(8),
            finished: row.get(9),
        })
    }

    /// Notes that everything up to `last` is done.
    pub(super) async fn note(
        &mut self,
        client: &Client,
        last: Option<Position>,
        rows: usize,
        refused: usize,
        finished: bool,
    ) -> Result<(), Error> {
        self.position = self.position.max(last);
        self.rows += i64::try_from(rows).unwrap_or(i64::MAX);
        self.refused += i64::try_from(refused).unwrap_or(i64::MAX);
        self.finished = finished;
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&self.id, Type::UUID),
            (&self.position, Type::INT8),
            (&self.rows, Type::INT8),
            (&self.refused, Type::INT8),
            (&finished, Type::BOOL),
        ];
        client
            .execute_typed(
                "UPDATE outbox_sidecar.replay
                 SET position = $2, rows = $3, refused = $4, updated_at = clock_timestamp(),
                     finished_at = CASE WHEN $5 THEN clock_timestamp() END
                 WHERE id = $1",
                &parameters,
            )
            .await
            .map_err(Error::database("note the replay's progress"))?;
        Ok(())
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            id: self.id,
            rows: self.rows,
            refused: self.refused,
            position: self.position,
            finished: self.finished,
        }
    }
}

/// For `to_timestamp`, exact to the microsecond for a long time to come.
pub(super) fn seconds(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}
