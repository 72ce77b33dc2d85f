//! Names of tables and columns as they appear in configuration, quoted for SQL.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// PostgreSQL keeps this many bytes of a name (`NAMEDATALEN - 1`).
const MAXIMUM_BYTES: usize = 63;

/// A text that cannot be the name of a table or column.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{text}` is not a valid {what} name: {problem}")]
pub struct InvalidName {
    text: String,
    what: &'static str,
    problem: &'static str,
}

/// A column's name, case-sensitive, as PostgreSQL stores it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ColumnName(String);

/// A table's name, `table` or `schema.table`, case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableName {
    schema: Option<String>,
    table: String,
}

impl ColumnName {
    /// A name known to be valid.
    pub(crate) fn known(name: &'static str) -> Self {
        Self(name.to_owned())
    }

    /// The name without quotes, as the catalog has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it goes into a statement.
    pub fn quoted(&self) -> String {
        quote(&self.0)
    }
}

impl TableName {
    /// The schema, if one was given; otherwise the search path decides.
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The schema as it goes into a statement, if one was given.
    pub fn schema_quoted(&self) -> Option<String> {
        self.schema.as_deref().map(quote)
    }

    /// The name without its schema.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// A name beside it: with something added, and shortened before it to what
    /// PostgreSQL keeps of a name.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let mut end = self.table.len().min(MAXIMUM_BYTES.saturating_sub(suffix.len()));
        while !self.table.is_char_boundary(end) {
            end -= 1;
        }
        Self { schema: self.schema.clone(), table: format!("{}{suffix}", &self.table[..end]) }
    }

    /// The same name, to be found by the search path.
    #[must_use]
    pub fn without_schema(&self) -> Self {
        Self { schema: None, table: self.table.clone() }
    }

    /// A name in a schema, both as the catalog has them.
    ///
    /// # Errors
    /// One of them holds a quote, a dot or a control character.
    pub fn of(schema: &str, table: &str) -> Result<Self, InvalidName> {
        for part in [schema, table] {
            check(part, part, "table")?;
        }
        Ok(Self { schema: Some(schema.to_owned()), table: table.to_owned() })
    }

    /// The name as it goes into a statement.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", quote(schema), quote(&self.table)),
            None => quote(&self.table),
        }
    }
}

impl FromStr for ColumnName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text, text, "column")?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for TableName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(schema), table),
            None => (None, text),
        };
        for part in schema.iter().chain([&table]) {
            check(part, text, "table")?;
        }
        Ok(Self { schema: schema.map(str::to_owned), table: table.to_owned() })
    }
}

fn check(part: &str, text: &str, what: &'static str) -> Result<(), InvalidName> {
    let problem = if part.is_empty() {
        "it is empty"
    } else if part.len() > MAXIMUM_BYTES {
        "it is longer than 63 bytes"
    } else if part.chars().any(|c| c.is_control() || matches!(c, '"' | '.')) {
        "it holds a quote, a second dot or a control character"
    } else {
        return Ok(());
    };
    Err(InvalidName { text: text.to_owned(), what, problem })
}

/// A text as it stands in a statement, for a value that holds no backslash.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl fmt::Display for ColumnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.table)
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}
pub(crate) use serde_as_text;

serde_as_text!(ColumnName, TableName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_sql() {
        assert_eq!("outbox".parse::<TableName>().unwrap().quoted(), r#""outbox""#);
        assert_eq!("Shop.Out box".parse::<TableName>().unwrap().quoted(), r#""Shop"."Out box""#);
    }

    #[test]
    fn a_suffix_is_kept_of_a_long_name() {
        let long: TableName = format!("s.{}", "ö".repeat(31)).parse().unwrap();
        let beside = long.with_suffix("_default");
        assert_eq!(
            (beside.schema(), beside.table()),
            (Some("s"), &*format!("{}_default", "ö".repeat(27)))
        );
    }

    #[test]
    fn a_quote_does_not_end_a_text() {
        assert_eq!(literal("it's"), "'it''s'");
    }

    #[test]
    fn unusable_names_are_refused() {
        let long = "x".repeat(64);
        for text in ["", ".t", "s.", "a.b.c", "a\"b", "a\nb", &long] {
            assert!(text.parse::<TableName>().is_err(), "{text:?}");
        }
        assert!("a.b".parse::<ColumnName>().is_err());
    }
}
