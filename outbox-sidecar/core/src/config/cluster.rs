//! The same configuration in a Kubernetes cluster and outside of one.
//!
//! A `Relay` names Secrets and ConfigMaps; the operator mounts them into the
//! pod and gives the sidecar a file that names the mounted paths. So the
//! sidecar itself knows only files and environment variables.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf};

use super::{
    Config, FileRef, InvalidConfig, SecretRef,
    reference::{Field, KeyRef},
};

/// Where the sidecar's files are in a pod.
pub const MOUNT_PATH: &str = "/etc/outbox-sidecar";

/// The configuration's name in that folder.
pub const CONFIG_FILE: &str = "config.yaml";

/// A `Relay`'s configuration as the sidecar in a pod gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Mounted {
    /// With every reference rewritten to a file under [`MOUNT_PATH`], and the
    /// admin port on all interfaces, as kubelet and Prometheus come from outside
    /// the pod.
    pub config: Config,
    /// What has to be mounted there; each once, however often it is named.
    pub sources: BTreeSet<Source>,
}

/// An entry of a Secret or ConfigMap that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Of what kind the object is.
    pub kind: SourceKind,
    /// The object's name.
    pub name: String,
    /// The entry's name in it.
    pub key: String,
}

/// The kinds of object that entries can be taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl Source {
    /// Where the entry is, below [`MOUNT_PATH`]: `secret/<name>/<key>` or
    /// `configmap/<name>/<key>`.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            SourceKind::ConfigMap => "configmap",
            SourceKind::Secret => "secret",
        };
        format!("{kind}/{}/{}", self.name, self.key)
    }

    fn file(&self) -> PathBuf {
        [MOUNT_PATH, &self.path()].iter().collect()
    }
}

impl Config {
    /// What a `Relay` with this configuration gives the sidecar in a pod.
    ///
    /// # Errors
    /// It is not valid, or names a file or an environment variable, which a
    /// `Relay` cannot.
    pub fn in_cluster(&self) -> Result<Mounted, InvalidConfig> {
        self.validate()?;
        let mut config = self.clone();
        let mut sources = BTreeSet::new();
        let mut mount = |kind, key: &KeyRef| {
            let source = Source { kind, name: key.name.clone(), key: key.key.clone() };
            let file = source.file();
            sources.insert(source);
            file
        };
        for (path, field) in config.references() {
            match field {
                Field::Secret(reference) => {
                    let file = match reference {
                        SecretRef::Secret(key) => mount(SourceKind::Secret, key),
                        SecretRef::ConfigMap(key) => mount(SourceKind::ConfigMap, key),
                        SecretRef::Env(_) => return Err(not_in_a_cluster(path, "env")),
                        SecretRef::File(_) => return Err(not_in_a_cluster(path, "file")),
                    };
                    *reference = SecretRef::File(file);
                }
                Field::File(reference) => {
                    let file = match reference {
                        FileRef::Secret(key) => mount(SourceKind::Secret, key),
                        FileRef::ConfigMap(key) => mount(SourceKind::ConfigMap, key),
                        FileRef::File(_) => return Err(not_in_a_cluster(path, "file")),
                    };
                    *reference = FileRef::File(file);
                }
            }
        }
        if config.admin.listen.port() == 0 {
            return Err(InvalidConfig::at_path(
                "admin.listen".into(),
                "a Relay needs a port that is known beforehand, 1 to 65535",
            ));
        }
        config.admin.listen = (Ipv4Addr::UNSPECIFIED, config.admin.listen.port()).into();
        Ok(Mounted { config, sources })
    }

    /// Whether a sidecar can run with this file as it is.
    ///
    /// # Errors
    /// It names a Secret or a ConfigMap, which only the operator can mount.
    pub fn outside_cluster(&self) -> Result<(), InvalidConfig> {
        let mut config = self.clone();
        for (path, field) in config.references() {
            let (kind, instead) = match field {
                Field::Secret(SecretRef::Secret(_)) => {
                    ("secret", "{ env: NAME } or { file: PATH }")
                }
                Field::Secret(SecretRef::ConfigMap(_)) => {
                    ("configMap", "{ env: NAME } or { file: PATH }")
                }
                Field::File(FileRef::Secret(_)) => ("secret", "{ file: PATH }"),
                Field::File(FileRef::ConfigMap(_)) => ("configMap", "{ file: PATH }"),
                Field::Secret(_) | Field::File(_) => continue,
            };
            let problem = format!("`{kind}` is for a Relay in a cluster; write {instead}");
            return Err(InvalidConfig::at_path(path.into(), &problem));
        }
        Ok(())
    }
}

fn not_in_a_cluster(path: &str, kind: &str) -> InvalidConfig {
    let problem = format!(
        "`{kind}` cannot be used in a Relay; write {{ secret: {{ name, key }} }} or {{ configMap: {{ name, key }} }}"
    );
    InvalidConfig::at_path(path.into(), &problem)
}
