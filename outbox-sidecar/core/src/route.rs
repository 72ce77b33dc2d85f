//! From an outbox row to a Kafka topic.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::sql_name::{ColumnName, serde_as_text};

/// The longest name Kafka accepts for a topic.
const MAXIMUM_TOPIC_BYTES: usize = 249;

/// Where rows go: a constant (`orders`), a column (`{topic}`), or a mixture
/// (`outbox.{aggregate_type}`). Placeholders name columns of the outbox table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(ColumnName),
}

/// A text that is not a topic template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a topic or topic template: {problem}")]
pub struct InvalidTemplate {
    text: String,
    problem: String,
}

/// A row whose topic cannot be a Kafka topic. The row is poison.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{topic}` cannot be the name of a Kafka topic: {problem}")]
pub struct InvalidTopic {
    topic: String,
    problem: &'static str,
}

impl TopicTemplate {
    /// The columns the template names, in order, each as often as it stands there.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column),
            Part::Text(_) => None,
        })
    }

    /// The topic itself, if it is the same for every row.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The topic of a row, given the values of [`columns`](Self::columns) in order.
    ///
    /// # Errors
    /// The row's values do not make a valid topic name.
    pub fn render<'a>(
        &self,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<String, InvalidTopic> {
        let mut values = values.into_iter();
        let topic: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text,
                Part::Column(_) => values.next().unwrap_or_default(),
            })
            .collect();
        match topic_problem(&topic) {
            Some(problem) => Err(InvalidTopic { topic, problem }),
            None => Ok(topic),
        }
    }
}

/// What is wrong with a topic's name, by Kafka's rules.
pub fn topic_problem(topic: &str) -> Option<&'static str> {
    if topic.is_empty() {
        Some("it is empty")
    } else if topic == "." || topic == ".." {
        Some("`.` and `..` are reserved")
    } else if topic.len() > MAXIMUM_TOPIC_BYTES {
        Some("it is longer than 249 characters")
    } else if !topic.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
        Some("only letters, digits, `.`, `_` and `-` are allowed")
    } else {
        None
    }
}

impl FromStr for TopicTemplate {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |problem: String| InvalidTemplate { text: text.to_owned(), problem };
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(placeholder) = rest.strip_prefix('{') {
                let (column, after) = placeholder
                    .split_once('}')
                    .ok_or_else(|| invalid("a `{` is never closed".into()))?;
                parts.push(Part::Column(
                    column.parse().map_err(|error| invalid(format!("{error}")))?,
                ));
                rest = after;
            } else {
                let end = rest.find('{').unwrap_or(rest.len());
                let (literal, after) = rest.split_at(end);
                if let Some(problem) =
                    topic_problem(literal).filter(|_| literal != "." && literal != "..")
                {
                    return Err(invalid(problem.into()));
                }
                parts.push(Part::Text(literal.to_owned()));
                rest = after;
            }
        }
        if parts.is_empty() {
            return Err(invalid("it is empty".into()));
        }
        Ok(Self { parts })
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Column(column) => write!(f, "{{{column}}}"),
        })
    }
}

serde_as_text!(TopicTemplate);

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> TopicTemplate {
        text.parse().unwrap()
    }

    #[test]
    fn constants_columns_and_mixtures_render() {
        assert_eq!(template("orders").constant(), Some("orders"));
        assert_eq!(template("{topic}").render(["a.b"]).unwrap(), "a.b");
        let mixed = template("outbox.{aggregate_type}-{region}");
        assert_eq!(
            mixed.columns().map(ColumnName::as_str).collect::<Vec<_>>(),
            ["aggregate_type", "region"]
        );
        assert_eq!(mixed.render(["order", "eu"]).unwrap(), "outbox.order-eu");
        assert_eq!(mixed.to_string(), "outbox.{aggregate_type}-{region}");
    }

    #[test]
    fn a_value_that_makes_no_topic_is_an_error_and_not_a_silent_default() {
        assert!(template("{topic}").render([""]).is_err());
        assert!(template("{topic}").render(["with space"]).is_err());
        assert!(template("{topic}").render(["."]).is_err());
    }

    #[test]
    fn malformed_templates_are_refused() {
        for text in ["", "{", "a{b", "a b", "{}", &"x".repeat(250)] {
            assert!(text.parse::<TopicTemplate>().is_err(), "{text:?}");
        }
    }
}
