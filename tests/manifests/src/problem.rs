//! What is found.

use std::fmt;

use crate::Manifest;

/// Something wrong with an object. Prints as `FILE: Kind/name: path: message`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    source: String,
    object: String,
    path: String,
    message: String,
}

impl Problem {
    /// A problem of `manifest` at `path`, such as `spec.replicas`; an empty path
    /// is the object as a whole.
    pub fn new(manifest: &Manifest, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            source: manifest.source.clone(),
            object: manifest.id(),
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.source, self.object)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}
