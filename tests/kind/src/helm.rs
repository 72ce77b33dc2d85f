//! The helm command line.

use std::{ffi::OsStr, path::PathBuf, process::Stdio};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use test_support::workspace_root;
use tokio::process::Command;

use crate::Namespace;

/// What helm is told to wait: it gives up after this.
const TIMEOUT: &str = "10m";

/// A release of one of the project's charts.
pub struct Release<'a> {
    namespace: &'a Namespace,
    name: &'a str,
    chart: &'a str,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

impl<'a> Release<'a> {
    /// A release called `name` of `charts/<chart>`; nothing is done yet.
    pub fn new(namespace: &'a Namespace, name: &'a str, chart: &'a str) -> Self {
        Self { namespace, name, chart }
    }

    /// Installs or upgrades it with the chart's `values-kind.yaml` and what
    /// `values` adds, as files relative to the project's root, and waits until
    /// everything is ready.
    ///
    /// # Errors
    /// Helm fails: with what it says and the state of the namespace.
    pub async fn install(&self, values: &[&str], set: &[&str]) -> anyhow::Result<()> {
        let chart = workspace_root().join("charts").join(self.chart);
        let mut arguments: Vec<PathBuf> =
            ["upgrade", "--install", self.name].map(PathBuf::from).into();
        arguments.push(chart.clone());
        arguments.extend(["--wait", "--timeout", TIMEOUT, "--values"].map(PathBuf::from));
        arguments.push(chart.join("values-kind.yaml"));
        for file in values {
            arguments.extend(["--values".into(), workspace_root().join(file)]);
        }
        for setting in set {
            arguments.extend(["--set", setting].map(PathBuf::from));
        }
        match self.helm(&arguments).await {
            Ok(_) => Ok(()),
            Err(err) => Err(err.context(self.namespace.describe().await)),
        }
    }

    /// Uninstalls it and waits until its objects are gone; says what helm said.
    ///
    /// # Errors
    /// Helm fails.
    pub async fn uninstall(&self) -> anyhow::Result<String> {
        self.helm(&["uninstall", self.name, "--wait", "--timeout", TIMEOUT]).await
    }

    /// Runs the chart's own tests.
    ///
    /// # Errors
    /// One fails.
    pub async fn test(&self) -> anyhow::Result<()> {
        match self.helm(&["test", self.name, "--timeout", TIMEOUT]).await {
            Ok(_) => Ok(()),
            Err(err) => Err(err.context(self.namespace.describe().await)),
        }
    }

    /// Whether helm knows it.
    ///
    /// # Errors
    /// Helm fails.
    pub async fn is_installed(&self) -> anyhow::Result<bool> {
        let listed = self.helm(&["list", "--all", "--output", "json"]).await?;
        let listed: Vec<Listed> = serde_json::from_str(&listed)?;
        Ok(listed.iter().any(|release| release.name == self.name))
    }

    async fn helm(&self, arguments: &[impl AsRef<OsStr>]) -> anyhow::Result<String> {
        let output = Command::new("helm")
            .args(["--kube-context", self.namespace.cluster().context()])
            .args(["--namespace", self.namespace.name()])
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run helm")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm fails for {}: {errors}{said}", self.name);
        Ok(said)
    }
}
