//! Every replica follows the Secret that the leader keeps.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio_util::sync::CancellationToken;

use super::{Material, ServingCertificate, bundle::Trust};

/// Loads the serving certificate whenever the Secret changes, until told to
/// stop, and tells `trust` who has to be trusted for it.
pub async fn follow_secret(
    client: Client,
    namespace: String,
    name: String,
    serving: ServingCertificate,
    trust: Trust,
    stop: CancellationToken,
) {
    let secrets = Api::<Secret>::namespaced(client, &namespace);
    // By name, so that the right to this one Secret is enough.
    let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let changes = watcher(secrets, only).default_backoff().applied_objects();
    let mut changes = changes.take_until(stop.cancelled_owned()).boxed();
    loop {
        match changes.try_next().await {
            Ok(None) => return,
            Ok(Some(secret)) => {
                let material = Material::read(&secret.data.unwrap_or_default());
                let Some(pair) = material.serving() else { continue };
                match serving.replace(pair) {
                    Ok(()) => trust.wanted(material.bundle()),
                    Err(error) => {
                        tracing::error!(%error, secret = %name, "serving certificate not loaded")
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, secret = %name, "watch of the certificates broke off")
            }
        }
    }
}
