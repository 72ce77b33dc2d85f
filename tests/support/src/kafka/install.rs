//! Kafka's jars on this machine, and what makes a broker start fast.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, IoContext, Result};
use crate::process::Spec;
use crate::workspace::{cache_dir, workspace_root};

/// Bound to the version in `kafka/pom.xml`, so that a new version gets a new folder.
const VERSION: &str = "4.1.0";

/// The jars of one version, with a formatted data directory and an archive of loaded classes
/// beside them once they have been made.
#[derive(Clone, Debug)]
pub(super) struct Install {
    dir: PathBuf,
    java: PathBuf,
    log_config: PathBuf,
    class_path: OsString,
    /// Where to record the class archive instead of using it.
    record: Option<PathBuf>,
}

impl Install {
    /// Finds the jars, or has Maven fetch them.
    pub(super) fn find() -> Result<Self> {
        let source = workspace_root().join("tests/support/kafka");
        let dir = cache_dir().join(format!("kafka-{VERSION}"));
        let libs = dir.join("libs");
        if !libs.is_dir() {
            fetch(&source.join("fetch-jars.sh"), &libs)?;
        }
        let mut jars = fs::read_dir(&libs)
            .context(|| format!("read {}", libs.display()))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
            .context(|| format!("read {}", libs.display()))?;
        // An archive of classes is only valid for the same jars in the same order.
        jars.sort();
        let class_path = env::join_paths(&jars).map_err(|err| {
            Error::Invalid(format!("{} cannot be in a class path: {err}", libs.display()))
        })?;
        Ok(Self {
            dir,
            java: java(),
            log_config: source.join("log4j2.yaml"),
            class_path,
            record: None,
        })
    }

    /// A data directory formatted once, which throwaway brokers copy instead of starting a JVM to
    /// format their own.
    pub(super) fn formatted_template(&self) -> PathBuf {
        self.dir.join("formatted")
    }

    /// Classes as the JVM has them in memory after a start (class data sharing): loading them from
    /// here makes a start three times as fast. Absent until the first broker has been started.
    pub(super) fn class_archive(&self) -> PathBuf {
        self.dir.join("classes.jsa")
    }

    /// The same, for a JVM that records the class archive into `file` when it stops.
    pub(super) fn recording(self, file: PathBuf) -> Self {
        Self { record: Some(file), ..self }
    }

    /// The JVM with the broker's class path and flags for a quick start.
    pub(super) fn jvm(&self, name: &str, short_lived: bool) -> Spec {
        let flag = |name: &str, path: &Path| {
            let mut flag = OsString::from(name);
            flag.push(path);
            flag
        };
        let archive = self.class_archive();
        let archive = match &self.record {
            Some(file) => Some(flag("-XX:ArchiveClassesAtExit=", file)),
            None if archive.is_file() => Some(flag("-XX:SharedArchiveFile=", &archive)),
            None => None,
        };
        // Optimising compilation pays off after minutes, not in a test.
        let tiers = short_lived.then_some("-XX:TieredStopAtLevel=1");
        Spec::new(name, &self.java)
            .args(tiers)
            .args(archive)
            // An archive that does not fit this JVM is ignored, without a word.
            .args(["-Xshare:auto", "-Xlog:disable", "-XX:+UseSerialGC", "-Djava.awt.headless=true"])
            .arg(flag("-Dlog4j2.configurationFile=", &self.log_config))
            .arg("-cp")
            .arg(&self.class_path)
    }

    /// Formats the data directory named in a broker's configuration.
    pub(super) fn format(&self, config: &Path, cluster_id: &str) -> Result<()> {
        let output = Command::new(&self.java)
            .args(["-Xmx64m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
            .arg(&self.class_path)
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--ignore-formatted",
                "-t",
                cluster_id,
                "-c",
            ])
            .arg(config)
            .stdin(Stdio::null())
            .output()
            .context(|| format!("run {}", self.java.display()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Error::Exited {
            name: "Kafka's storage tool".to_owned(),
            status: output.status.to_string(),
            tail: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }
}

fn java() -> PathBuf {
    env::var_os("JAVA_HOME")
        .map_or_else(|| PathBuf::from("java"), |home| PathBuf::from(home).join("bin/java"))
}

fn fetch(script: &Path, libs: &Path) -> Result<()> {
    let output = Command::new("sh")
        .arg(script)
        .arg(libs)
        .stdin(Stdio::null())
        .output()
        .context(|| format!("run {}", script.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Missing {
        what: "Kafka".to_owned(),
        remedy: format!(
            "fetching its jars failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    })
}
