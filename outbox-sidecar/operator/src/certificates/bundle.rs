//! Who the API server trusts to be the webhook: `caBundle`.

use std::{sync::Arc, time::Duration};

use json_patch::{
    AddOperation, Patch as JsonPatch, PatchOperation, TestOperation, jsonptr::PointerBuf,
};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::CertificateError;

/// How often an untrusted replica looks again.
const INTERVAL: Duration = Duration::from_secs(2);

/// Whether API servers trust the certificate in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Trust(watch::Sender<State>);

#[derive(Clone, Debug, Default)]
struct State {
    bundle: Option<Arc<str>>,
    trusted: bool,
}

impl Default for Trust {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Trust {
    /// Certificates are somebody else's business.
    pub fn assumed() -> Self {
        Self(watch::Sender::new(State { bundle: None, trusted: true }))
    }

    /// Whether they do. Once they did, a rollover changes nothing: they trust
    /// the next authority before it signs.
    pub fn is_given(&self) -> bool {
        self.0.borrow().trusted
    }

    pub(super) fn wanted(&self, bundle: String) {
        self.0.send_modify(|state| state.bundle = Some(bundle.into()));
    }

    /// Looks until they do, or until told to stop.
    pub async fn wait(&self, client: Client, configuration: String, stop: CancellationToken) {
        let configurations = Api::all(client);
        while !self.is_given() {
            let bundle = self.0.borrow().bundle.clone();
            if let Some(bundle) = bundle {
                match read(&configurations, &configuration).await {
                    Ok(found) if missing(&found, &bundle).is_empty() => {
                        tracing::info!("the API server trusts the serving certificate");
                        self.0.send_modify(|state| state.trusted = true);
                        return;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "webhook configuration not read"),
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }
}

/// Makes every webhook of the configuration trust exactly this bundle. Returns
/// whether anything had to be changed.
pub(super) async fn ensure(
    client: &Client,
    configuration: &str,
    bundle: &str,
) -> Result<bool, CertificateError> {
    let configurations = Api::all(client.clone());
    let found = read(&configurations, configuration).await?;
    let missing = missing(&found, bundle);
    if missing.is_empty() {
        return Ok(false);
    }
    // Only this field is ours; `test` guards against an order that has changed.
    let patch = Patch::<()>::Json(patch(&missing, bundle));
    configurations
        .patch(configuration, &PatchParams::default(), &patch)
        .await
        .map_err(|error| CertificateError::Api { what: "caBundle not written", error })?;
    Ok(true)
}

async fn read(
    configurations: &Api<MutatingWebhookConfiguration>,
    name: &str,
) -> Result<MutatingWebhookConfiguration, CertificateError> {
    let what = "webhook configuration not read";
    let found = configurations.get_opt(name).await;
    found
        .map_err(|error| CertificateError::Api { what, error })?
        .ok_or_else(|| CertificateError::NotRegistered(name.to_owned()))
}

/// Position and name of the webhooks that do not have the bundle.
fn missing(configuration: &MutatingWebhookConfiguration, bundle: &str) -> Vec<(usize, String)> {
    let webhooks = configuration.webhooks.iter().flatten().enumerate();
    webhooks
        .filter(|(_, webhook)| {
            let present = webhook.client_config.ca_bundle.as_ref();
            present.is_none_or(|present| present.0 != bundle.as_bytes())
        })
        .map(|(index, webhook)| (index, webhook.name.clone()))
        .collect()
}

fn patch(missing: &[(usize, String)], bundle: &str) -> JsonPatch {
    let at = |index: usize, path: &[&str]| {
        let index = index.to_string();
        PointerBuf::from_tokens(["webhooks", &index].into_iter().chain(path.iter().copied()))
    };
    let bundle = json!(k8s_openapi::ByteString(bundle.as_bytes().to_vec()));
    let operations = missing.iter().flat_map(|(index, name)| {
        [
            PatchOperation::Test(TestOperation { path: at(*index, &["name"]), value: json!(name) }),
            PatchOperation::Add(AddOperation {
                path: at(*index, &["clientConfig", "caBundle"]),
                value: bundle.clone(),
            }),
        ]
    });
    JsonPatch(operations.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(bundles: &[Option<&str>]) -> MutatingWebhookConfiguration {
        let webhooks: Vec<_> = bundles
            .iter()
            .enumerate()
            .map(|(index, bundle)| {
                json!({
                    "name": format!("w{index}.outbox-sidecar.dev"),
                    "admissionReviewVersions": ["v1"],
                    "sideEffects": "None",
                    "clientConfig": {
                        "caBundle": bundle.map(|b| k8s_openapi::ByteString(b.as_bytes().to_vec())),
                    },
                })
            })
            .collect();
        serde_json::from_value(json!({ "metadata": { "name": "x" }, "webhooks": webhooks }))
            .unwrap()
    }

    #[test]
    fn only_the_bundles_that_differ_are_written() {
        let before = configuration(&[Some("ours"), None, Some("reset by somebody")]);
        let missing = missing(&before, "ours");
        let mut patched = serde_json::to_value(&before).unwrap();
        json_patch::patch(&mut patched, &patch(&missing, "ours")).unwrap();
        let after = configuration(&[Some("ours"), Some("ours"), Some("ours")]);
        assert_eq!(patched, serde_json::to_value(after).unwrap());
        assert_eq!(missing.len(), 2);
    }
}
