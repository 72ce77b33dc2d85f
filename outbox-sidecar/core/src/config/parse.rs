//! From YAML to the types, with errors a person can act on.

use std::fmt;

use serde::de::DeserializeOwned;

use super::reference::INLINE_SECRET;

/// What is wrong with a configuration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidConfig {
    place: Place,
    problem: String,
    /// Whether the text there may be a secret.
    secret: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Unknown,
    Line { line: u64, column: u64 },
    Path(String),
}

impl InvalidConfig {
    pub(super) fn at_path(path: String, problem: &str) -> Self {
        Self { place: Place::Path(path), problem: problem.to_owned(), secret: false }
    }

    /// Whether the line may be shown: not if a secret may stand in it, where its
    /// place should.
    pub fn may_quote(&self) -> bool {
        !self.secret
    }

    /// Line and column, both from 1, where the problem has a place in the text.
    pub fn line_and_column(&self) -> Option<(u64, u64)> {
        match self.place {
            Place::Line { line, column } => Some((line, column)),
            Place::Unknown | Place::Path(_) => None,
        }
    }
}

impl fmt::Display for InvalidConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unknown => {}
            Place::Line { line, column } => write!(f, "{line}:{column}: ")?,
            Place::Path(path) => write!(f, "{path}: ")?,
        }
        f.write_str(&self.problem)
    }
}

pub(super) fn from_yaml<T: DeserializeOwned>(yaml: &str) -> Result<T, InvalidConfig> {
    serde_saphyr::from_str(yaml).map_err(|error| explain(&error))
}

fn explain(error: &serde_saphyr::Error) -> InvalidConfig {
    use serde_saphyr::Error;
    let error = error.without_snippet();
    let problem = match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("field", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("value", variant, expected),
        Error::SerdeMissingField { field, .. } => format!("`{field}` is missing"),
        other => without_location(&other.to_string()),
    };
    let place = error.location().filter(|location| location.line() > 0).map_or(
        Place::Unknown,
        |location| Place::Line { line: location.line(), column: location.column() },
    );
    let misnamed =
        matches!(error, Error::SerdeUnknownField { expected, .. } if expected.contains(&"secret"));
    let secret = misnamed || problem.starts_with(INLINE_SECRET);
    InvalidConfig { place, problem, secret }
}

/// Messages of the parser end in their location, which stands in front here.
fn without_location(message: &str) -> String {
    let message = message.lines().next().unwrap_or_default();
    let end = message.rfind(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

fn unknown(what: &str, name: &str, expected: &[&str]) -> String {
    let nearest = expected
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            // `caFile` for `ca`: far away by letters, near by meaning.
            *distance <= candidate.len().div_ceil(2) || name.starts_with(**candidate)
        })
        .min();
    match nearest {
        Some((_, candidate)) => format!("unknown {what} `{name}`; did you mean `{candidate}`?"),
        None => format!("unknown {what} `{name}`; valid are {}", expected.join(", ")),
    }
}

/// Names that are safe as metric labels and parts of Kubernetes names.
pub(super) fn is_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}
