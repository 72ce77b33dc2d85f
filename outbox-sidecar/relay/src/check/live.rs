//! Looking at everything that a configuration names: tables, privileges, topics.

use std::{collections::BTreeSet, fmt};

use outbox_sidecar_core::{
    config::{Config, Database},
    record::Mapping,
};

use crate::{
    database::{
        self,
        inspect::{
            Finding, inspect_cursors, inspect_inbox, inspect_outbox, inspect_rows, inspect_schema,
        },
    },
    error::Error,
    kafka::topics::TopicMaker,
};

/// What is missing, by what it is missing from.
#[derive(Debug, Default)]
pub struct Report {
    parts: Vec<(String, Vec<Finding>)>,
}

/// Looks at the database and, where topics are not made, at the brokers. Changes
/// nothing.
///
/// # Errors
/// A secret is not there, or the database or the brokers are away.
pub async fn inspect(config: &Config) -> Result<Report, Error> {
    let mut report = Report::default();
    if let Some(database) = &config.database {
        report.tables(config, database).await?;
    }
    if !config.topics.create {
        report.add("the topics".into(), missing_topics(config).await?);
    }
    Ok(report)
}

async fn missing_topics(config: &Config) -> Result<Vec<Finding>, Error> {
    let mappings: Vec<_> = config.outboxes.iter().map(Mapping::new).collect();
    let mut topics: BTreeSet<&str> =
        config.inboxes.iter().flat_map(|inbox| inbox.topics()).map(String::as_str).collect();
    topics.extend(mappings.iter().filter_map(Mapping::constant_topic));
    let existing = TopicMaker::new(&config.kafka, config.topics.clone())?.existing().await?;
    let missing = topics.into_iter().filter(|topic| !existing.contains(*topic));
    Ok(missing
        .map(|topic| {
            Finding::fatal(
                format!("the topic {topic} does not exist, and `topics.create` is false"),
                format!("kafka-topics.sh --bootstrap-server HOST:PORT --create --topic {topic}"),
            )
        })
        .collect())
}

impl Report {
    async fn tables(&mut self, config: &Config, database: &Database) -> Result<(), Error> {
        let pool = database::pool(database)?;
        let client = pool.get().await?;
        self.add("the schema outbox_sidecar".into(), inspect_schema(&client).await?);
        for outbox in &config.outboxes {
            let (_, mut findings) = inspect_outbox(&client, outbox).await?;
            findings.extend(inspect_cursors(&client, outbox).await?);
            // What is in a table that cannot be read is for the next time.
            if findings.iter().all(|finding| !finding.fatal) {
                findings.extend(inspect_rows(&client, outbox).await?);
            }
            self.add(format!("outbox `{}`, table {}", outbox.name, outbox.table), findings);
        }
        for inbox in config.stored_inboxes() {
            let findings = inspect_inbox(&client, inbox).await?;
            self.add(format!("inbox `{}`, table {}", inbox.name, inbox.table), findings);
        }
        Ok(())
    }

    fn add(&mut self, part: String, findings: Vec<Finding>) {
        if !findings.is_empty() {
            self.parts.push((part, findings));
        }
    }

    /// Whether nothing is missing.
    pub fn is_clean(&self) -> bool {
        self.parts.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (part, findings)) in self.parts.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{part}:")?;
            for finding in findings {
                write!(f, "\n  {finding}")?;
            }
        }
        Ok(())
    }
}
