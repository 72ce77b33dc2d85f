//! YAML as `kubectl` reads and prints it.

use serde::Serialize;
use serde_json::Value;

/// A text is not YAML, or a value cannot be written as such.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// Line, column and what is wrong.
    #[error("{0}")]
    Read(String),
    /// The value has no form in YAML.
    #[error("cannot be written as YAML: {0}")]
    Write(String),
}

/// All documents of a text; empty ones are left out.
///
/// # Errors
/// The text is not YAML.
pub fn read(text: &str) -> Result<Vec<Value>, YamlError> {
    // kubectl reads `0444` as octal.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| YamlError::Read(error.without_snippet().to_string()))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// One document, ending in a line break.
///
/// # Errors
/// The value has no form in YAML.
pub fn print(value: &impl Serialize) -> Result<String, YamlError> {
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| YamlError::Write(error.to_string()))
}

/// Documents with separators between them.
///
/// # Errors
/// A value has no form in YAML.
pub fn print_all(values: &[Value]) -> Result<String, YamlError> {
    let documents: Result<Vec<_>, _> = values.iter().map(print).collect();
    Ok(documents?.join("---\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let value = json!({
            "text": ["yes", "on", "0444", "1e3", "~", "null", "7d", "", " lead", "a: b", "# no", "@x", "*y",
                     "two\nlines\n", "tab\there", "x".repeat(200), "word ".repeat(60)],
            "numbers": [1, -5, 1.5, 10_000_000_000_i64],
            "empty": [{}, []],
            "flags": [true, false, null],
        });
        let text = print(&value).unwrap();
        assert_eq!(read(&text).unwrap(), std::slice::from_ref(&value), "{text}");
        assert_eq!(
            read(&print_all(&[value.clone(), value.clone()]).unwrap()).unwrap(),
            [value.clone(), value]
        );
    }

    #[test]
    fn words_that_older_parsers_take_for_truth_values_are_quoted() {
        let text = print(&json!(["yes", "no", "on", "off", "y", "n", "0o17", "0444"])).unwrap();
        for line in text.lines() {
            assert!(line.contains(['"', '\'']), "{text}");
        }
    }

    #[test]
    fn empty_documents_are_left_out_and_bad_ones_have_a_place() {
        assert_eq!(
            read("---\na: 1\n---\n---\nb: 2\n").unwrap(),
            [json!({"a": 1}), json!({"b": 2})]
        );
        assert!(read("a: [1,\nb: }").unwrap_err().to_string().contains("line"));
    }
}
