//! Reading manifests.

use serde_json::{Map, Value};

/// One object, as it stands in a file.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file it comes from, as it is named in messages.
    pub source: String,
    /// The whole object.
    pub value: Value,
}

/// A text that holds no manifests.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not YAML.
    #[error("{path}: not YAML: {problem}")]
    Yaml {
        /// The file.
        path: String,
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A document is no object with `apiVersion` and `kind`.
    #[error("{path}: document {number} has no apiVersion and kind")]
    NoObject {
        /// The file.
        path: String,
        /// Which document, from 1; empty ones count.
        number: usize,
    },
}

impl Manifest {
    /// Reads every document of a YAML text. Empty documents are left out, the
    /// items of a `List` taken one by one. Numbers and booleans are read as the
    /// API server reads them: `0444` is octal, `yes` is true.
    ///
    /// # Errors
    /// It is not YAML, or a document is no Kubernetes object.
    pub fn read_all(source: &str, text: &str) -> Result<Vec<Self>, Unreadable> {
        let options = serde_saphyr::options! { legacy_octal_numbers: true };
        let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)
            .map_err(|err| Unreadable::Yaml {
                path: source.to_owned(),
                problem: err.without_snippet().to_string(),
            })?;
        let mut manifests = Vec::new();
        for (index, document) in documents.into_iter().enumerate() {
            if document.is_null() {
                continue;
            }
            if !(document["apiVersion"].is_string() && document["kind"].is_string()) {
                return Err(Unreadable::NoObject { path: source.to_owned(), number: index + 1 });
            }
            let items = match document {
                Value::Object(mut list) if list["kind"] == "List" => items(&mut list),
                other => vec![other],
            };
            manifests
                .extend(items.into_iter().map(|value| Self { source: source.to_owned(), value }));
        }
        Ok(manifests)
    }

    /// Its `apiVersion`; empty if it is not a text.
    pub fn api_version(&self) -> &str {
        self.value["apiVersion"].as_str().unwrap_or_default()
    }

    /// Its `kind`; empty if it is not a text.
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or_default()
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Its namespace; empty if it has none, or is of no namespace.
    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// `Kind/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind(), self.name())
    }
}

fn items(list: &mut Map<String, Value>) -> Vec<Value> {
    match list.remove("items") {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_as_the_api_server_reads_them() {
        let text = "---\n# a comment alone\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n\
                    mode: 0444\nflag: yes\n";
        let manifests = Manifest::read_all("a.yaml", text).unwrap();
        assert_eq!(manifests.len(), 1);
        assert_eq!(manifests[0].id(), "Secret/a");
        assert_eq!(manifests[0].value["mode"], 292);
        assert_eq!(manifests[0].value["flag"], true);
    }

    #[test]
    fn the_items_of_a_list_are_objects_of_their_own() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: a}}\n\
                    - {apiVersion: v1, kind: Pod, metadata: {name: b}}\n";
        let names: Vec<_> =
            Manifest::read_all("a.yaml", text).unwrap().iter().map(Manifest::id).collect();
        assert_eq!(names, ["Pod/a", "Pod/b"]);
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_place() {
        let err = Manifest::read_all("a.yaml", "a: [").unwrap_err().to_string();
        assert!(err.starts_with("a.yaml: not YAML: "), "{err}");
        let err = Manifest::read_all("a.yaml", "---\n---\na: 1\n").unwrap_err().to_string();
        assert!(err.contains("has no apiVersion and kind"), "{err}");
        let err = Manifest::read_all("a.yaml", "apiVersion: v1\nkind: A\nkind: B\n").unwrap_err();
        assert!(err.to_string().contains("duplicate"), "{err}");
    }
}
