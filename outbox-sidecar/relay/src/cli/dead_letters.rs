//! `outbox-sidecar dead-letters`: what was given up, and what becomes of it.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use outbox_sidecar_core::{
    config::cluster::{CONFIG_FILE, MOUNT_PATH},
    dead_letter::{Address, DEFAULT_PAGE, DeadLetter, Filter, Page, Place, Settled},
};
use serde_json::Value;

use outbox_sidecar::{
    check, database,
    dead_letter::{DeadLetters, Decision},
};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them, outboxes first.
    List {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        filter: FilterArguments,
        /// The place that the page before named as the next.
        #[arg(long)]
        after: Option<Place>,
        /// How many, 1 to 1000.
        #[arg(long, default_value_t = DEFAULT_PAGE, value_parser = clap::value_parser!(u16).range(1..=1000))]
        limit: u16,
    },
    /// Show one, with its row.
    Show {
        #[command(flatten)]
        source: Source,
        /// Which, as the list names it: outbox/orders/17, inbox/updates/MESSAGE-ID.
        letter: Address,
    },
    /// Send them on their way again, in order.
    Retry(Settle),
    /// Leave them: they are settled, and will not be published or applied.
    Skip(Settle),
}

#[derive(Args)]
pub(crate) struct Source {
    /// The sidecar's configuration file (YAML).
    #[arg(long, env = "OUTBOX_SIDECAR_CONFIG", default_value_os_t = PathBuf::from(MOUNT_PATH).join(CONFIG_FILE))]
    config: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct FilterArguments {
    /// Only of this outbox.
    #[arg(long, conflicts_with = "inbox")]
    outbox: Option<String>,
    /// Only of this inbox.
    #[arg(long)]
    inbox: Option<String>,
    /// Only of this key.
    #[arg(long)]
    key: Option<String>,
    /// Only this one: a row's position, or a message's id.
    #[arg(long)]
    id: Option<String>,
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true)
    .args(["letters", "outbox", "inbox", "key", "id", "all"])))]
pub(crate) struct Settle {
    #[command(flatten)]
    source: Source,
    /// Which, as the list names them: outbox/orders/17, inbox/updates/MESSAGE-ID.
    #[arg(conflicts_with_all = ["outbox", "inbox", "key", "id", "all"])]
    letters: Vec<Address>,
    #[command(flatten)]
    filter: FilterArguments,
    /// Every one there is.
    #[arg(long, conflicts_with_all = ["outbox", "inbox", "key", "id"])]
    all: bool,
    /// Who does so, for the audit.
    #[arg(long, env = "USER", default_value = "unknown")]
    actor: String,
}

impl From<FilterArguments> for Filter {
    fn from(arguments: FilterArguments) -> Self {
        let FilterArguments { outbox, inbox, key, id } = arguments;
        Self { side: None, outbox, inbox, key, id }
    }
}

/// Carries a command out; what it returns goes to standard output.
///
/// # Errors
/// The configuration is not usable, the database is away, or what was asked for
/// is not there.
pub(crate) async fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::List { source, filter, after, limit } => {
            let page = open(&source)?.list(&filter.into(), after.as_ref(), limit).await?;
            if source.json { json(&page) } else { Ok(table(&page)) }
        }
        Command::Show { source, letter } => {
            let detail = open(&source)?.show(&letter).await?;
            let detail = detail.with_context(|| format!("there is no dead letter {letter}"))?;
            if source.json {
                return json(&detail);
            }
            let mut text = lines(&detail.letter);
            match &detail.row {
                Some(Value::Object(columns)) => {
                    for (column, value) in columns {
                        // A String takes everything.
                        let _ = writeln!(text, "  {column}: {value}");
                    }
                }
                _ => text
                    .push_str("  the row is not in the table any more; it can only be skipped\n"),
            }
            Ok(text)
        }
        Command::Retry(settle) => decide(Decision::Retry, settle, "sent on their way again").await,
        Command::Skip(settle) => decide(Decision::Skip, settle, "settled").await,
    }
}

async fn decide(decision: Decision, settle: Settle, done: &str) -> anyhow::Result<String> {
    let dead_letters = open(&settle.source)?;
    let filters: Vec<Filter> = if settle.letters.is_empty() {
        vec![settle.filter.into()]
    } else {
        settle.letters.iter().map(Address::filter).collect()
    };
    let mut total = Settled::default();
    for filter in &filters {
        let settled = dead_letters.settle(decision, filter, &settle.actor).await?;
        total.settled += settled.settled;
        total.gone.extend(settled.gone);
    }
    if settle.source.json {
        return json(&total);
    }
    let mut text = format!("{} dead letters {done}\n", total.settled);
    for gone in &total.gone {
        let _ =
            writeln!(text, "{gone}: the row is not in the table any more; it can only be skipped");
    }
    Ok(text)
}

fn open(source: &Source) -> anyhow::Result<DeadLetters> {
    let config = check::read(&source.config)?;
    let pool = database::pool_of(&config)?;
    Ok(DeadLetters::new(config, pool))
}

fn json(answer: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(answer)? + "\n")
}

fn table(page: &Page) -> String {
    if page.items.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let mut text: String = page.items.iter().map(lines).collect();
    if let Some(next) = &page.next {
        let _ = writeln!(text, "more: --after {next}");
    }
    text
}

fn lines(letter: &DeadLetter) -> String {
    let mut text = format!("{}\n", letter.address());
    if let Some(key) = &letter.key {
        let _ = writeln!(text, "  key: {key}");
    }
    if let Some(id) = letter.message_id.as_ref().filter(|id| **id != letter.id) {
        let _ = writeln!(text, "  message id: {id}");
    }
    if let Some(origin) = &letter.origin {
        let _ = writeln!(text, "  from: {} {} {}", origin.topic, origin.partition, origin.offset);
    }
    let _ = writeln!(
        text,
        "  dead since {} after {} attempts: {}",
        letter.dead_at, letter.attempts, letter.reason
    );
    text
}
