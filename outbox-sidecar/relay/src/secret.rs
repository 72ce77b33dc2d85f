//! Reading secrets from where the configuration says they are.

use std::{env, fmt, fs, io, path::PathBuf};

use outbox_sidecar_core::config::SecretRef;

/// A secret's value. Its `Debug` form hides it.
#[derive(Clone)]
pub struct Secret(String);

/// A secret that is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableSecret {
    /// The variable is not set, or not text.
    #[error("the environment variable {0}, which the configuration names, is not set")]
    Env(String),
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
        }
    }

    /// The value itself, for the one who needs it.
    pub fn reveal(&self) -> &str {
        &self.0
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
