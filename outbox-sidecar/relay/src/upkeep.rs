//! What is done for the tables beside carrying their rows: partitions, and rows
//! past their retention.

use std::{collections::HashMap, time::Duration};

use deadpool_postgres::Pool;
use outbox_sidecar_core::{
    config::{Config, Outbox},
    sql_name::TableName,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Error, chain},
    inbox::retention::purge_inbox,
    metrics::Metrics,
    outbox::{partitions::rotate, retention::purge_outbox},
};

/// How often partitions and old rows are looked after.
const INTERVAL: Duration = Duration::from_secs(60);

/// Looks after the tables of a configuration until told to stop.
pub async fn run(pool: Pool, config: Config, metrics: Metrics, stop: CancellationToken) {
    let mut upkeep = Upkeep { pool, metrics, told: HashMap::new() };
    tokio::select! {
        () = stop.cancelled() => {}
        () = upkeep.repeat(&config) => {}
    }
}

struct Upkeep {
    pool: Pool,
    metrics: Metrics,
    /// Problems by outbox, so that each is told once.
    told: HashMap<String, String>,
}

impl Upkeep {
    async fn repeat(&mut self, config: &Config) {
        loop {
            let mut tables = Vec::new();
            for outbox in &config.outboxes {
                tables.push(self.rotate(outbox).await);
            }
            sleep(INTERVAL).await;
            for (outbox, table) in config.outboxes.iter().zip(&tables) {
                while let Ok((rows, more)) =
                    purge_outbox(&self.pool, outbox, table).await.inspect_err(log)
                {
                    self.metrics.outbox(&outbox.name).purged(rows);
                    if !more {
                        break;
                    }
                }
            }
            for inbox in config.stored_inboxes() {
                while let Ok((rows, more)) = purge_inbox(&self.pool, inbox).await.inspect_err(log) {
                    self.metrics.inbox(&inbox.name).purged(rows);
                    if !more {
                        break;
                    }
                }
            }
        }
    }

    /// Returns where old rows are to be deleted one by one.
    async fn rotate(&mut self, outbox: &Outbox) -> TableName {
        let Ok(rotation) = rotate(&self.pool, outbox).await.inspect_err(log) else {
            return outbox.table.clone();
        };
        self.metrics.outbox(&outbox.name).purged(rotation.dropped);
        match rotation.problem {
            None => {
                self.told.remove(&outbox.name);
            }
            Some(problem) => {
                if self.told.get(&outbox.name) != Some(&problem) {
                    tracing::warn!(outbox = outbox.name, problem, "partitions are not rotated");
                }
                self.told.insert(outbox.name.clone(), problem);
            }
        }
        rotation.remainder
    }
}

fn log(error: &Error) {
    tracing::warn!(
        error = chain(error),
        "could not look after partitions and rows past their retention; trying again in a minute"
    );
}
