//! The command line of a replay.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use outbox_sidecar_core::config::Config;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Event, Filter, Task, count, run};

/// `outbox-sidecar replay`.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The configuration file (YAML).
    #[arg(long, env = "OUTBOX_SIDECAR_CONFIG")]
    pub config: PathBuf,
    /// The outbox, by its name in the configuration.
    #[arg(long, required_unless_present = "resume")]
    outbox: Option<String>,
    #[command(flatten)]
    rows: RowArguments,
    /// Only count the rows.
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// On whose behalf, for the record.
    #[arg(long, env = "USER", default_value = "unknown")]
    actor: String,
    /// Go on with a replay that was interrupted, by its id.
    #[arg(long, value_name = "REPLAY", conflicts_with_all = ["outbox", "RowArguments"])]
    resume: Option<Uuid>,
}

/// Which rows: those that meet all that is given.
#[derive(Args, Clone, Debug)]
#[group(multiple = true)]
struct RowArguments {
    /// Rows of this key.
    #[arg(long, required_unless_present_any = ["id", "since", "resume"])]
    key: Option<String>,
    /// The row with this message id.
    #[arg(long)]
    id: Option<String>,
    /// Rows created at this time or later, such as 2026-11-25T08:00:00Z.
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Rows created before this time.
    #[arg(long, value_name = "TIME", requires = "since")]
    until: Option<Timestamp>,
}

impl Arguments {
    /// Does it; progress goes to stderr, the result to stdout.
    ///
    /// # Errors
    /// As for [`run`].
    #[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]
    pub async fn execute(self, config: &Config, stop: CancellationToken) -> anyhow::Result<()> {
        let RowArguments { key, id, since, until } = self.rows;
        let filter = Filter { key, message_id: id, since, until };
        let outbox = self.outbox.unwrap_or_default();
        if self.dry_run {
            let found = count(config, &outbox, &filter).await?;
            match (found.first, found.last) {
                (Some(first), Some(last)) => println!(
                    "{} rows would be published again, positions {first} to {last}",
                    found.rows
                ),
                _ => println!("no row would be published again"),
            }
            return Ok(());
        }
        let task = match self.resume {
            Some(id) => Task::Resume(id),
            None => Task::New { outbox, filter, actor: self.actor },
        };
        let mut id = None;
        let tell = |event: Event| match event {
            Event::Progress(progress) => match (id.replace(progress.id), progress.position) {
                (None, _) => eprintln!("replay {}", progress.id),
                (_, Some(position)) => {
                    eprintln!("{} rows, up to position {position}", progress.rows);
                }
                (_, None) => {}
            },
            Event::Refused(row) => {
                eprintln!("refused: position {}: {}", row.position, row.reason())
            }
        };
        let result = run(config, task, &stop, tell).await;
        let resume = |id: Uuid| eprintln!("to go on: outbox-sidecar replay --resume {id}");
        match result {
            Ok(progress) if progress.finished => {
                println!(
                    "{} rows published again, {} refused; replay {}",
                    progress.rows, progress.refused, progress.id
                );
                Ok(())
            }
            Ok(progress) => {
                resume(progress.id);
                anyhow::bail!("stopped after {} rows", progress.rows)
            }
            Err(error) => {
                if let Some(id) = id {
                    resume(id);
                }
                Err(error.into())
            }
        }
    }
}
