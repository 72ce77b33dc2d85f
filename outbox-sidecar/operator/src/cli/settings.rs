//! The settings of `run`: flags, and variables for when a flag is not given.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::{
    certificates, inject::Defaults, names::OPERATOR, run::Certificates, run::Options,
    telemetry::LogFormat,
};

/// What a sidecar gets unless told otherwise.
pub(super) const DEFAULT_RESOURCES: &str =
    r#"{"requests":{"cpu":"20m","memory":"32Mi"},"limits":{"memory":"128Mi"}}"#;

/// Where the webhook's certificates come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CertificateMode {
    /// Made and rotated by the operator, in a Secret.
    #[default]
    #[value(name = "self")]
    SelfMade,
    /// Files that somebody else keeps, such as cert-manager.
    Files,
}

/// Whether PodMonitors are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PodMonitorMode {
    /// Where the Prometheus operator is installed.
    #[default]
    Auto,
    /// Nowhere.
    Never,
}

/// What `run` is told.
#[derive(Args, Debug)]
pub struct RunSettings {
    /// The operator's own namespace.
    #[arg(long, env = "POD_NAMESPACE")]
    namespace: String,
    /// The operator's pod; names it among its replicas.
    #[arg(long, env = "POD_NAME")]
    pod_name: String,
    /// The image of the sidecars.
    #[arg(long, env = "SIDECAR_IMAGE")]
    sidecar_image: String,
    /// When it is pulled: Always, IfNotPresent or Never.
    #[arg(long, env = "SIDECAR_IMAGE_PULL_POLICY")]
    sidecar_image_pull_policy: Option<String>,
    /// The sidecars' ResourceRequirements, as JSON.
    #[arg(long, env = "SIDECAR_RESOURCES", default_value = DEFAULT_RESOURCES)]
    sidecar_resources: String,
    /// The MutatingWebhookConfiguration that has to trust the certificates.
    #[arg(long, env = "WEBHOOK_CONFIGURATION", default_value = OPERATOR)]
    webhook_configuration: String,
    /// The Service in front of the webhook.
    #[arg(long, env = "WEBHOOK_SERVICE", default_value = OPERATOR)]
    service: String,
    /// Where the webhook's certificates come from.
    #[arg(long, env = "CERTIFICATE_MODE", value_enum, default_value_t)]
    certificate_mode: CertificateMode,
    /// The Secret of self-made certificates.
    #[arg(long, env = "CERTIFICATE_SECRET", default_value = "outbox-operator-webhook")]
    certificate_secret: String,
    /// The folder of tls.crt and tls.key, for the mode `files`.
    #[arg(long, env = "CERTIFICATE_DIR")]
    certificate_dir: Option<PathBuf>,
    /// The Lease that says which replica leads.
    #[arg(long, env = "LEASE_NAME", default_value = OPERATOR)]
    lease: String,
    /// The namespaces looked after, separated by commas; empty: all.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// Whether a PodMonitor is made for each relay.
    #[arg(long, env = "POD_MONITORS", value_enum, default_value_t)]
    pod_monitors: PodMonitorMode,
    /// How often the sidecars are asked how they are.
    #[arg(long, env = "STATUS_INTERVAL", default_value = "10s", value_parser = humantime::parse_duration)]
    status_interval: Duration,
    /// Where the webhook listens.
    #[arg(long, env = "LISTEN_WEBHOOK", default_value = "0.0.0.0:9443")]
    listen_webhook: SocketAddr,
    /// Where /healthz, /readyz and /metrics are.
    #[arg(long, env = "LISTEN_ADMIN", default_value = "0.0.0.0:8080")]
    listen_admin: SocketAddr,
    /// The form of log lines.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    /// What is logged: a level, or target=level pairs.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub(super) log: String,
}

impl RunSettings {
    /// The settings in the form they are used, or what is wrong with them.
    pub(super) fn checked(self) -> Result<Options, String> {
        let Self {
            namespace,
            pod_name,
            sidecar_image,
            sidecar_image_pull_policy,
            sidecar_resources,
            webhook_configuration,
            service,
            certificate_mode,
            certificate_secret,
            certificate_dir,
            lease,
            watch_namespaces,
            pod_monitors,
            status_interval,
            listen_webhook,
            listen_admin,
            log_format: _,
            log: _,
        } = self;
        if status_interval < Duration::from_secs(1) {
            return Err("--status-interval must be at least 1s".to_owned());
        }
        let certificates = match (certificate_mode, certificate_dir) {
            (CertificateMode::Files, None) => {
                return Err("--certificate-mode files needs --certificate-dir".to_owned());
            }
            (CertificateMode::Files, Some(folder)) => Certificates::Files(folder),
            (CertificateMode::SelfMade, _) => Certificates::SelfMade(certificates::Names {
                namespace: namespace.clone(),
                service,
                secret: certificate_secret,
                configuration: webhook_configuration,
            }),
        };
        let trimmed = watch_namespaces.iter().map(|namespace| namespace.trim().to_owned());
        Ok(Options {
            namespace,
            pod_name,
            defaults: defaults(sidecar_image, sidecar_image_pull_policy, &sidecar_resources)?,
            certificates,
            lease,
            watch_namespaces: trimmed.filter(|namespace| !namespace.is_empty()).collect(),
            pod_monitors: pod_monitors == PodMonitorMode::Auto,
            status_interval,
            listen_webhook,
            listen_admin,
        })
    }
}

/// What a sidecar gets, or what is wrong with the settings of that.
pub(super) fn defaults(
    image: String,
    pull_policy: Option<String>,
    resources: &str,
) -> Result<Defaults, String> {
    if image.trim().is_empty() {
        return Err("the sidecar's image must not be empty".to_owned());
    }
    let image_pull_policy = pull_policy.filter(|policy| !policy.is_empty());
    if let Some(policy) = &image_pull_policy
        && !["Always", "IfNotPresent", "Never"].contains(&policy.as_str())
    {
        return Err(format!("`{policy}` is not Always, IfNotPresent or Never"));
    }
    let wrong = |error| format!("the sidecar's resources are not ResourceRequirements: {error}");
    let resources: ResourceRequirements = serde_json::from_str(resources).map_err(wrong)?;
    let resources = serde_json::to_value(resources).map_err(wrong)?;
    Ok(Defaults { image, image_pull_policy, resources })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: RunSettings,
    }

    fn checked(more: &[&str]) -> Result<Options, String> {
        let least = ["x", "--namespace", "system", "--pod-name", "p", "--sidecar-image", "s:1"];
        let line = Line::try_parse_from(least.iter().chain(more));
        line.map_err(|error| error.to_string())?.settings.checked()
    }

    #[test]
    fn the_least_that_has_to_be_given_is_enough() {
        let options = checked(&[]).unwrap();
        assert_eq!(options.watch_namespaces, Vec::<String>::new());
        assert_eq!(options.defaults.resources["limits"]["memory"], "128Mi");
        assert!(options.pod_monitors);
    }

    #[test]
    fn namespaces_are_separated_by_commas() {
        let options = checked(&["--watch-namespaces", "a, b,"]).unwrap();
        assert_eq!(options.watch_namespaces, ["a", "b"]);
        assert!(checked(&["--watch-namespaces", ""]).unwrap().watch_namespaces.is_empty());
    }

    #[test]
    fn what_cannot_work_is_refused_with_a_reason() {
        for (flags, reason) in [
            (&["--certificate-mode", "files"][..], "--certificate-dir"),
            (&["--sidecar-resources", "{\"limits\":1}"], "ResourceRequirements"),
            (&["--sidecar-image-pull-policy", "Sometimes"], "`Sometimes`"),
            (&["--status-interval", "10ms"], "at least 1s"),
            (&["--status-interval", "soon"], "soon"),
        ] {
            let refused = checked(flags).err().unwrap();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
