//! Reading secrets from where the configuration says they are.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use outbox_sidecar_core::config::{FileRef, SecretRef};

/// A secret's value. Its `Debug` form hides it.
#[derive(Clone)]
pub struct Secret(String);

/// A secret that is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableSecret {
    /// The variable is not set, or not text.
    #[error("the environment variable {0}, which the configuration names, is not set")]
    Env(String),
    /// It is in an object of a cluster, which only the operator can mount.
    #[error(
        "a key of a Secret or ConfigMap can be read only in a cluster, where the operator mounts it"
    )]
    InCluster,
    /// The file cannot be read.
    #[error("cannot read the secret file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Secret {
    /// Reads a secret.
    ///
    /// # Errors
    /// It is not where it should be.
    pub fn read(reference: &SecretRef) -> Result<Self, UnreadableSecret> {
        match reference {
            SecretRef::Env(name) => {
                env::var(name).map(Self).map_err(|_| UnreadableSecret::Env(name.clone()))
            }
            SecretRef::File(path) => match fs::read_to_string(path) {
                Ok(text) => Ok(Self(text.strip_suffix('\n').unwrap_or(&text).to_owned())),
                Err(source) => Err(UnreadableSecret::File { path: path.clone(), source }),
            },
            SecretRef::Secret(_) | SecretRef::ConfigMap(_) => Err(UnreadableSecret::InCluster),
        }
    }

    /// The value itself, for the one who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The path of a file such as a certificate.
///
/// # Errors
/// It is not in a file.
pub fn path(reference: &FileRef) -> Result<&Path, UnreadableSecret> {
    match reference {
        FileRef::File(path) => Ok(path),
        FileRef::Secret(_) | FileRef::ConfigMap(_) => Err(UnreadableSecret::InCluster),
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_secret_is_named_and_a_present_one_is_not_shown() {
        let missing = Secret::read(&SecretRef::File("/nonexistent/secret".into())).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/secret"));
        assert_eq!(format!("{:?}", Secret("hunter2".into())), "Secret(hidden)");
    }
}
