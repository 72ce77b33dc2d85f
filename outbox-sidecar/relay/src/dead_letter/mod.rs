//! Dead letters for people: looking at them, and deciding what becomes of them.
//!
//! - [`outbox`]: rows that cannot be published.
//! - [`inbox`]: messages that cannot be applied.
//! - [`audit`]: who decided what.
//! - [`forward`]: to dead-letter topics.

mod audit;
pub mod forward;
mod inbox;
mod outbox;

use deadpool_postgres::{Client, Pool};
use outbox_sidecar_core::{
    config::{Config, StoredInbox},
    dead_letter::{Address, Detail, Filter, MAXIMUM_PAGE, Page, Place, Settled, Side},
};

use crate::error::Error;

/// How many are settled in one transaction.
const BATCH: u16 = 500;

/// The dead letters of the outboxes and inboxes of a configuration.
#[derive(Clone)]
pub struct DeadLetters {
    config: Config,
    /// Where there are tables.
    pool: Option<Pool>,
}

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it on its way again.
    Retry,
    /// Leave it: it is settled, and will not be published or applied.
    Skip,
}

impl Decision {
    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
        }
    }
}

impl DeadLetters {
    /// Those of this configuration.
    pub fn new(config: Config, pool: Option<Pool>) -> Self {
        Self { config, pool }
    }

    /// A page of them: so many at most, and at most [`MAXIMUM_PAGE`], behind a
    /// place or from the first.
    ///
    /// # Errors
    /// The filter names an outbox or inbox that is not configured; the database
    /// is away, or no sidecar has made its tables yet.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<&Place>,
        limit: u16,
    ) -> Result<Page, Error> {
        let limit = usize::from(limit.clamp(1, MAXIMUM_PAGE));
        let sources = self.sources(filter)?;
        let mut items = Vec::new();
        if sources.is_empty() {
            return Ok(Page { items, next: None });
        }
        let client = self.client().await?;
        for (side, name) in sources
            .into_iter()
            .skip_while(|source| after.is_some_and(|place| place.of() != *source))
        {
            // One more than asked for tells whether there is a next page.
            let wanted = i64::try_from(limit + 1 - items.len()).unwrap_or(i64::MAX);
            let after = after.filter(|place| place.of() == (side, name));
            let more = match side {
                Side::Outbox => outbox::list(&client, name, filter, after, wanted).await?,
                Side::Inbox => {
                    inbox::list(&client, self.inbox(name)?, filter, after, wanted).await?
                }
            };
            items.extend(more);
            if items.len() > limit {
                break;
            }
        }
        let next = (items.len() > limit).then(|| {
            items.truncate(limit);
            items.last().map(|last| last.place().to_string())
        });
        Ok(Page { items, next: next.flatten() })
    }

    /// One of them, with its row.
    ///
    /// # Errors
    /// As for [`list`](Self::list).
    pub async fn show(&self, address: &Address) -> Result<Option<Detail>, Error> {
        let (filter, name) = (address.filter(), &address.name);
        let Some(letter) = self.list(&filter, None, 1).await?.items.pop() else { return Ok(None) };
        let client = self.client().await?;
        let row = match address.side {
            Side::Outbox => outbox::row(&client, self.outbox(name)?, &letter.id).await?,
            Side::Inbox => inbox::row(&client, self.inbox(name)?, &letter.id).await?,
        };
        Ok(Some(Detail { letter, row }))
    }

    /// Settles all that pass the filter, in order, and notes who did so. Several
    /// transactions if they are many: after an error, some may be settled.
    ///
    /// # Errors
    /// As for [`list`](Self::list).
    pub async fn settle(
        &self,
        decision: Decision,
        filter: &Filter,
        actor: &str,
    ) -> Result<Settled, Error> {
        let mut total = Settled::default();
        for (side, name) in self.sources(filter)? {
            let mut after = None;
            loop {
                let mut client = self.client().await?;
                let letters = match side {
                    Side::Outbox => {
                        outbox::list(&client, name, filter, after.as_ref(), BATCH.into()).await?
                    }
                    Side::Inbox => {
                        let inbox = self.inbox(name)?;
                        inbox::list(&client, inbox, filter, after.as_ref(), BATCH.into()).await?
                    }
                };
                let Some(last) = letters.last() else { break };
                after = Some(last.place());
                let transaction =
                    client.transaction().await.map_err(Error::database("begin a transaction"))?;
                let settled = match side {
                    Side::Outbox => {
                        outbox::settle(&transaction, self.outbox(name)?, decision, &letters).await?
                    }
                    Side::Inbox => {
                        inbox::settle(&transaction, self.inbox(name)?, decision, &letters).await?
                    }
                };
                let (done, gone): (Vec<_>, Vec<_>) =
                    letters.into_iter().partition(|letter| settled.done.contains(&letter.id));
                audit::note(&transaction, actor, decision.name(), &done).await?;
                transaction.commit().await.map_err(Error::database("settle dead letters"))?;
                total.settled += done.len() as u64;
                let gone = gone.into_iter().filter(|letter| settled.gone.contains(&letter.id));
                total.gone.extend(gone.map(|letter| letter.address().to_string()));
            }
        }
        Ok(total)
    }

    /// The outboxes and inboxes that a filter is for.
    fn sources(&self, filter: &Filter) -> Result<Vec<(Side, &str)>, Error> {
        if let Some(name) = &filter.outbox {
            self.outbox(name)?;
        }
        if let Some(name) = &filter.inbox {
            self.inbox(name)?;
        }
        let outboxes = self.config.outboxes.iter().map(|o| (Side::Outbox, o.name.as_str()));
        let inboxes = self.config.stored_inboxes().map(|i| (Side::Inbox, i.name.as_str()));
        Ok(outboxes.chain(inboxes).filter(|(side, name)| filter.includes(*side, name)).collect())
    }

    fn outbox(&self, name: &str) -> Result<&outbox_sidecar_core::config::Outbox, Error> {
        let outboxes = &self.config.outboxes;
        outboxes.iter().find(|outbox| outbox.name == name).ok_or_else(|| {
            let names: Vec<_> = outboxes.iter().map(|outbox| outbox.name.as_str()).collect();
            unknown(Side::Outbox, name, &names)
        })
    }

    fn inbox(&self, name: &str) -> Result<&StoredInbox, Error> {
        self.config.stored_inboxes().find(|inbox| inbox.name == name).ok_or_else(|| {
            let names: Vec<_> =
                self.config.stored_inboxes().map(|inbox| inbox.name.as_str()).collect();
            unknown(Side::Inbox, name, &names)
        })
    }

    async fn client(&self) -> Result<Client, Error> {
        match &self.pool {
            Some(pool) => Ok(pool.get().await?),
            None => Err(Error::Table("the configuration has no tables, and no database".into())),
        }
    }
}

/// Which of the letters could be settled.
#[derive(Debug, Default)]
struct Outcome {
    done: Vec<String>,
    /// Their rows are not in the table any more. What is in neither list was
    /// settled by somebody else meanwhile.
    gone: Vec<String>,
}

fn unknown(side: Side, name: &str, names: &[&str]) -> Error {
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Error::Unknown(format!("there is no {side} `{name}` in the configuration; there is: {known}"))
}

fn attempts(count: i32) -> u32 {
    u32::try_from(count).unwrap_or_default()
}
