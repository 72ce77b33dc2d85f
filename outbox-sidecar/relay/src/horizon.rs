//! Naming who holds the database's transaction horizon.

use std::time::{Duration, Instant};

use deadpool_postgres::{Client, Pool};
use jiff::Timestamp;
use outbox_sidecar_core::{
    config::Horizon,
    horizon::{Holder, Kind, Sighting, Watch},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;

use crate::{error::Error, metrics::Metrics, status::Status};

/// How often the database is asked.
const LOOK_INTERVAL: Duration = Duration::from_secs(15);

/// The oldest five of each kind. Without `pg_read_all_stats` the times and the
/// state of other users' connections are null; who they are is not.
///
/// A snapshot's list of running transactions holds those of every database;
/// what a mere reader holds back is only its own database, and a standby all.
const HOLDERS: &str =
    "(SELECT CASE WHEN datid IS NULL THEN 'standby' ELSE 'transaction' END AS kind,
             concat_ws('/', pid, coalesce(xact_start::text, backend_xid::text, backend_xmin::text)) AS identity,
             pid::text AS name,
             extract(epoch FROM clock_timestamp() - xact_start)::float8 AS seconds,
             greatest(age(backend_xid), age(backend_xmin))::int8 AS transactions,
             nullif(application_name, '') AS application, usename::text AS holder, datname::text AS database,
             state, (extract(epoch FROM query_start) * 1000000)::int8 AS query_started
      FROM pg_stat_activity
      WHERE usesysid IS NOT NULL AND pid <> pg_backend_pid()
        AND (backend_xid IS NOT NULL
             OR backend_xmin IS NOT NULL AND (datid IS NULL OR datname = current_database()))
      ORDER BY transactions DESC LIMIT 5)
     UNION ALL
     (SELECT 'prepared_transaction', concat_ws('/', gid, transaction), gid,
             extract(epoch FROM clock_timestamp() - prepared)::float8, age(transaction)::int8 AS transactions,
             NULL, owner::text, database::text, NULL, NULL
      FROM pg_prepared_xacts ORDER BY transactions DESC LIMIT 5)
     UNION ALL
     (SELECT 'replication_slot', concat_ws('/', slot_name, xmin, catalog_xmin), slot_name::text,
             NULL, greatest(age(xmin), age(catalog_xmin))::int8 AS transactions,
             NULL, NULL, database::text, CASE WHEN active THEN 'active' ELSE 'inactive' END, NULL
      FROM pg_replication_slots WHERE greatest(age(xmin), age(catalog_xmin)) > 0
      ORDER BY transactions DESC LIMIT 5)";

/// Looks for holders until told to stop; tells them in status and metrics, and
/// in the log when one has held the horizon for too long, and when it no longer
/// does.
///
/// # Errors
/// The database is away, or its user may not see one of the views.
pub async fn watch(
    pool: &Pool,
    config: Horizon,
    metrics: &Metrics,
    status: &Status,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut watch = Watch::new(config.warn_after.get());
    let mut looks = interval(LOOK_INTERVAL.min(config.warn_after.get()));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
        let client = pool.get().await?;
        let sightings = sightings(&client).await?;
        drop(client);
        let observation = watch.observe(Instant::now(), sightings);
        for holder in &observation.exceeded {
            exceeded(holder);
        }
        for holder in &observation.cleared {
            tracing::info!(
                kind = holder.kind,
                name = holder.name,
                held_seconds = holder.held_seconds,
                "the transaction horizon is no longer held by this one"
            );
        }
        metrics.horizon(&observation.holders);
        status.horizon(observation.holders);
    }
}

fn exceeded(holder: &Holder) {
    tracing::warn!(
        kind = holder.kind,
        name = holder.name,
        application = holder.application,
        user = holder.user,
        database = holder.database,
        state = holder.state,
        held_seconds = holder.held_seconds,
        transactions = holder.transactions,
        "the transaction horizon is held for long: what is open stays unpublished, published rows cannot be deleted, \
         and dead rows cannot be vacuumed"
    );
}

async fn sightings(client: &Client) -> Result<Vec<Sighting>, Error> {
    let rows = client
        .query_typed(HOLDERS, &[])
        .await
        .map_err(Error::database("look for who holds the transaction horizon"))?;
    Ok(rows.iter().filter_map(sighting).collect())
}

fn sighting(row: &Row) -> Option<Sighting> {
    let started: Option<i64> = row.get(9);
    Some(Sighting {
        kind: Kind::with_label(row.get(0))?,
        identity: row.get(1),
        seconds: row.get(3),
        holder: Holder {
            name: row.get(2),
            transactions: row.get(4),
            application: row.get(5),
            user: row.get(6),
            database: row.get(7),
            state: row.get(8),
            query_started_at: started.and_then(|time| Timestamp::from_microsecond(time).ok()),
            ..Holder::default()
        },
    })
}
