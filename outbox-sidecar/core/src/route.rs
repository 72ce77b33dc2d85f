//! From an outbox row to a Kafka topic.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    sql_name::{ColumnName, serde_as_text},
    template::{InvalidTemplate, Template},
};

/// The longest name Kafka accepts for a topic.
const MAXIMUM_TOPIC_BYTES: usize = 249;

/// Where rows go: a constant (`orders`), a column (`{topic}`), or a mixture
/// (`outbox.{aggregate_type}`). Placeholders name columns of the outbox table.
///
/// The default is none at all, which no text is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicTemplate(Template);

/// A row whose topic cannot be a Kafka topic. The row is poison.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{topic}` cannot be the name of a Kafka topic: {problem}")]
pub struct InvalidTopic {
    topic: String,
    problem: &'static str,
}

impl TopicTemplate {
    /// A column's value behind a text known to be part of a topic.
    pub(crate) fn prefixed(text: &'static str, column: ColumnName) -> Self {
        Self(Template::prefixed(text, column))
    }

    /// Whether it is none at all.
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The columns the template names, in order, each as often as it stands there.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        self.0.columns()
    }

    /// The topic itself, if it is the same for every row.
    pub fn constant(&self) -> Option<&str> {
        self.0.constant().filter(|topic| !topic.is_empty())
    }

    /// The topic of a row, whose values `value` tells; null is the empty text.
    ///
    /// # Errors
    /// The row's values do not make a valid topic name.
    pub fn render<'a>(
        &'a self,
        value: impl Fn(&ColumnName) -> Option<&'a str>,
    ) -> Result<Cow<'a, str>, InvalidTopic> {
        let topic = self.0.render(value).unwrap_or_default();
        if self.constant().is_some() {
            return Ok(topic);
        }
        match topic_problem(&topic) {
            Some(problem) => Err(InvalidTopic { topic: topic.into_owned(), problem }),
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
        const WHAT: &str = "topic or topic template";
        if text.is_empty() {
            return Err(InvalidTemplate::new(text, WHAT, "it is empty"));
        }
        Template::parse(text, WHAT, |literal| {
            topic_problem(literal).filter(|_| literal != "." && literal != "..")
        })
        .map(Self)
    }
}

impl fmt::Display for TopicTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

serde_as_text!(TopicTemplate);

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> TopicTemplate {
        text.parse().unwrap()
    }

    fn topic(text: &str, value: &'static str) -> Result<String, InvalidTopic> {
        template(text).render(|_| Some(value)).map(Cow::into_owned)
    }

    #[test]
    fn constants_columns_and_mixtures_render() {
        assert_eq!(template("orders").constant(), Some("orders"));
        assert_eq!(topic("{topic}", "a.b").unwrap(), "a.b");
        let mixed = template("outbox.{aggregate_type}-{region}");
        assert_eq!(
            mixed.columns().map(ColumnName::as_str).collect::<Vec<_>>(),
            ["aggregate_type", "region"]
        );
        let values =
            |column: &ColumnName| Some(if column.as_str() == "region" { "eu" } else { "order" });
        assert_eq!(mixed.render(values).unwrap(), "outbox.order-eu");
        assert_eq!(mixed.to_string(), "outbox.{aggregate_type}-{region}");
    }

    #[test]
    fn a_value_that_makes_no_topic_is_an_error_and_not_a_silent_default() {
        assert!(topic("{topic}", "").is_err());
        assert!(template("{topic}").render(|_| None).is_err());
        assert!(topic("{topic}", "with space").is_err());
        assert!(topic("{topic}", ".").is_err());
    }

    #[test]
    fn malformed_templates_are_refused() {
        for text in ["", "{", "a{b", "a b", "{}", &"x".repeat(250)] {
            assert!(text.parse::<TopicTemplate>().is_err(), "{text:?}");
        }
    }
}
