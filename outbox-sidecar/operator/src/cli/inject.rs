//! `outbox-operator inject`.

use std::{fs, io::Read as _, path::PathBuf};

use clap::Args;

use super::settings::{DEFAULT_RESOURCES, defaults};
use crate::{inject::inject_manifests, yaml};

/// What `inject` is told.
#[derive(Args, Debug)]
pub(super) struct InjectSettings {
    /// A file of one or more Relays; may be given several times.
    #[arg(long = "relay", value_name = "FILE", required = true)]
    relays: Vec<PathBuf>,
    /// The image of the sidecars.
    #[arg(long, env = "SIDECAR_IMAGE", default_value = concat!("outbox-sidecar:", env!("CARGO_PKG_VERSION")))]
    image: String,
    /// When it is pulled: Always, IfNotPresent or Never.
    #[arg(long, env = "SIDECAR_IMAGE_PULL_POLICY")]
    image_pull_policy: Option<String>,
    /// The sidecars' ResourceRequirements, as JSON.
    #[arg(long, env = "SIDECAR_RESOURCES", default_value = DEFAULT_RESOURCES)]
    resources: String,
    /// Manifests: pods, workloads and anything else, as YAML; `-` is standard input.
    file: PathBuf,
}

impl InjectSettings {
    /// The injected manifests, or what is wrong. Warnings go to standard error.
    #[allow(clippy::print_stderr, reason = "this is the command line")]
    pub(super) fn run(self) -> Result<String, String> {
        let defaults = defaults(self.image, self.image_pull_policy, &self.resources)?;
        let mut relays = Vec::new();
        for file in &self.relays {
            relays.extend(documents(file)?);
        }
        let documents = documents(&self.file)?;
        let (injected, warnings) =
            inject_manifests(&relays, documents, &defaults).map_err(|error| error.to_string())?;
        for warning in warnings {
            eprintln!("warning: {warning}");
        }
        yaml::print_all(&injected).map_err(|error| error.to_string())
    }
}

fn documents(file: &PathBuf) -> Result<Vec<serde_json::Value>, String> {
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let name = file.display();
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    yaml::read(&text).map_err(|error| format!("{name}: {error}"))
}
