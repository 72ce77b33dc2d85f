//! The configuration file, watched while the sidecar runs.
//!
//! The path is read again and again rather than a file watched: Kubernetes
//! changes a mounted volume by swapping a symbolic link, editors replace the
//! file, and neither changes the file that was opened first. What the
//! configuration names, such as a password, is watched with it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use outbox_sidecar_core::config::Config;
use sha2::{Digest as _, Sha256};
use tokio::{task::spawn_blocking, time::sleep};

use crate::check::{self, Unusable};

/// How often the files are read.
const INTERVAL: Duration = Duration::from_secs(2);

/// A change is taken when the files have stayed the same for this long: one that
/// is being written is not.
const SETTLED: Duration = Duration::from_millis(200);

type Hash = [u8; 32];

/// A configuration file and what was last seen of it.
pub struct ConfigFile {
    path: PathBuf,
    seen: Hash,
}

/// A valid configuration, and the state of the files it names.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// The configuration.
    pub config: Config,
    /// Never shown: it is made from secrets.
    files: Hash,
}

impl ConfigFile {
    /// Reads a file for the first time.
    ///
    /// # Errors
    /// As [`check::read`].
    pub fn open(path: PathBuf) -> Result<(Self, Version), Unusable> {
        let (seen, version) = look(&path);
        Ok((Self { path, seen }, version?))
    }

    /// Waits until the file, or one that it names, is not what was last seen.
    ///
    /// # Errors
    /// What it holds now cannot be used; the next call waits for the next change.
    pub async fn changed(&mut self) -> Result<Version, Unusable> {
        loop {
            sleep(INTERVAL).await;
            let (mut hash, _) = self.look().await;
            while hash != self.seen {
                sleep(SETTLED).await;
                let (now, version) = self.look().await;
                if now == hash {
                    self.seen = now;
                    return version;
                }
                hash = now;
            }
        }
    }

    async fn look(&self) -> (Hash, Result<Version, Unusable>) {
        loop {
            let path = self.path.clone();
            // Only a panic or the end of the runtime makes it fail.
            if let Ok(seen) = spawn_blocking(move || look(&path)).await {
                return seen;
            }
            sleep(INTERVAL).await;
        }
    }
}

/// What is there, and a hash of all that it was made from.
fn look(path: &Path) -> (Hash, Result<Version, Unusable>) {
    let text = match check::text(path) {
        Ok(text) => text,
        Err(problem) => return (hash([problem.to_string()]), Err(problem)),
    };
    let config = match check::parse(path, &text) {
        Ok(config) => config,
        Err(problem) => return (hash([text]), Err(problem)),
    };
    let files = hash(config.files().iter().map(|file| match fs::read(file) {
        Ok(content) => content,
        // Who needs the file says so.
        Err(error) => error.to_string().into_bytes(),
    }));
    (hash([text.as_bytes(), files.as_slice()]), Ok(Version { config, files }))
}

fn hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> Hash {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        // With their lengths, so that no two lists of parts are the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str =
        "{ database: { url: { file: URL } }, kafka: { bootstrapServers: ['k:9092'] },
        outboxes: [{ name: a, table: a, topic: a }] }";

    #[test]
    fn a_comment_makes_no_other_version_and_a_secret_does() {
        let folder = tempfile::tempdir().unwrap();
        let (file, url) = (folder.path().join("relay.yaml"), folder.path().join("url"));
        let config = CONFIG.replace("URL", url.to_str().unwrap());
        fs::write(&url, "postgresql://a").unwrap();
        fs::write(&file, &config).unwrap();
        let (first_hash, first) = look(&file);
        assert_eq!(look(&file), (first_hash, first.clone()));

        fs::write(&file, format!("# why\n{config}")).unwrap();
        let (commented_hash, commented) = look(&file);
        assert_ne!(commented_hash, first_hash);
        assert_eq!(commented, first);

        fs::write(&url, "postgresql://b").unwrap();
        let (rotated_hash, rotated) = look(&file);
        assert_ne!(rotated_hash, commented_hash);
        assert_ne!(rotated, first);

        fs::remove_file(&url).unwrap();
        assert_ne!(look(&file).0, rotated_hash);
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told_once_and_the_next_change_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.yaml");
        fs::write(&path, CONFIG).unwrap();
        let (mut file, first) = ConfigFile::open(path.clone()).unwrap();

        fs::write(&path, CONFIG.replace("table", "tabel")).unwrap();
        let problem = file.changed().await.unwrap_err().to_string();
        assert!(problem.contains("unknown field `tabel`; did you mean `table`?"), "{problem}");

        fs::remove_file(&path).unwrap();
        let problem = file.changed().await.unwrap_err().to_string();
        assert!(problem.starts_with("cannot read"), "{problem}");

        fs::write(&path, CONFIG).unwrap();
        assert_eq!(file.changed().await.unwrap(), first);
    }
}
