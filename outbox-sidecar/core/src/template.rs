//! Texts with placeholders for columns: `outbox.{aggregate_type}`.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::sql_name::{ColumnName, serde_as_text};

/// A constant (`billing`), a column (`{tenant}`), or a mixture
/// (`/tenants/{tenant}`). Placeholders name columns of the outbox table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Column(ColumnName),
}

/// A text that is not a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a {what}: {problem}")]
pub struct InvalidTemplate {
    text: String,
    what: &'static str,
    problem: String,
}

impl InvalidTemplate {
    pub(crate) fn new(text: &str, what: &'static str, problem: impl Into<String>) -> Self {
        Self { text: text.to_owned(), what, problem: problem.into() }
    }
}

impl Template {
    /// A text without placeholders.
    pub(crate) fn constant_text(text: String) -> Self {
        Self { parts: if text.is_empty() { Vec::new() } else { vec![Part::Text(text)] } }
    }

    /// A column's value behind a text.
    pub(crate) fn prefixed(text: &str, column: ColumnName) -> Self {
        let Self { mut parts } = Self::constant_text(text.to_owned());
        parts.push(Part::Column(column));
        Self { parts }
    }

    /// Reads a template; `literal` says what is wrong with a text between
    /// placeholders, and `what` is what the whole is called.
    pub(crate) fn parse(
        text: &str,
        what: &'static str,
        literal: impl Fn(&str) -> Option<&'static str>,
    ) -> Result<Self, InvalidTemplate> {
        let invalid = |problem: String| InvalidTemplate::new(text, what, problem);
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
                let (between, after) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
                if let Some(problem) = literal(between) {
                    return Err(invalid(problem.into()));
                }
                parts.push(Part::Text(between.to_owned()));
                rest = after;
            }
        }
        Ok(Self { parts })
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The columns it names, in order, each as often as it stands there.
    pub fn columns(&self) -> impl Iterator<Item = &ColumnName> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column),
            Part::Text(_) => None,
        })
    }

    /// The text itself, if it is the same for every row.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text for a row, whose values `value` tells. A null is the empty text;
    /// a template that is nothing but a null column has no text at all.
    pub fn render<'a>(
        &'a self,
        value: impl Fn(&ColumnName) -> Option<&'a str>,
    ) -> Option<Cow<'a, str>> {
        match self.parts.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [Part::Text(text)] => Some(Cow::Borrowed(text)),
            [Part::Column(column)] => value(column).map(Cow::Borrowed),
            parts => {
                let part = |part: &'a Part| match part {
                    Part::Text(text) => text.as_str(),
                    Part::Column(column) => value(column).unwrap_or_default(),
                };
                Some(Cow::Owned(parts.iter().map(part).collect()))
            }
        }
    }
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, "text or template", |_| None)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Column(column) => write!(f, "{{{column}}}"),
        })
    }
}

serde_as_text!(Template);

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, value: Option<&'static str>) -> Option<String> {
        let template: Template = template.parse().unwrap();
        template.render(|_| value).map(Cow::into_owned)
    }

    #[test]
    fn constants_columns_and_mixtures_render() {
        assert_eq!(render("a b", None).as_deref(), Some("a b"));
        assert_eq!(render("", None).as_deref(), Some(""));
        assert_eq!(render("{x}", Some("1")).as_deref(), Some("1"));
        assert_eq!(render("/{x}/{x}", Some("1")).as_deref(), Some("/1/1"));
    }

    #[test]
    fn a_column_alone_that_is_null_has_no_text() {
        assert_eq!(render("{x}", None), None);
        assert_eq!(render("/{x}", None).as_deref(), Some("/"));
    }

    #[test]
    fn an_open_brace_is_refused() {
        let error = "a{b".parse::<Template>().unwrap_err().to_string();
        assert_eq!(error, "`a{b` is not a text or template: a `{` is never closed");
    }
}
