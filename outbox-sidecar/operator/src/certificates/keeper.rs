//! The leader makes certificates, renews them, and has them trusted.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{
    api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta, jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};

use super::{CertificateError, Material, bundle, plan};
use crate::names::{MANAGED_BY, OPERATOR};

/// How often everything is looked at. A `caBundle` that somebody has reset is
/// restored within this time.
const INTERVAL: Duration = Duration::from_secs(10);

/// What everything is called.
#[derive(Clone, Debug)]
pub struct Names {
    /// The operator's namespace.
    pub namespace: String,
    /// The Service in front of the webhook.
    pub service: String,
    /// The Secret.
    pub secret: String,
    /// The `MutatingWebhookConfiguration`.
    pub configuration: String,
}

impl Names {
    /// The names the webhook is called by.
    pub fn dns(&self) -> Vec<String> {
        let service = format!("{}.{}.svc", self.service, self.namespace);
        vec![service.clone(), format!("{service}.cluster.local")]
    }
}

/// Keeps Secret and `caBundle` as they should be.
pub struct Keeper {
    client: Client,
    names: Names,
}

impl Keeper {
    /// Does nothing yet.
    pub fn new(client: Client, names: Names) -> Self {
        Self { client, names }
    }

    /// Goes on until dropped. The same problem again is logged once.
    pub async fn run(&self) {
        let mut said = None;
        loop {
            match self.tick(Timestamp::now()).await {
                Ok(()) => said = None,
                Err(error) => {
                    let error = crate::error::chain(&error);
                    if said.as_ref() != Some(&error) {
                        tracing::error!(%error, "certificates not looked after");
                        said = Some(error);
                    }
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// The API server refused something, or certificates cannot be made.
    pub async fn tick(&self, now: Timestamp) -> Result<(), CertificateError> {
        let secrets = Api::<Secret>::namespaced(self.client.clone(), &self.names.namespace);
        let found = secrets
            .get_opt(&self.names.secret)
            .await
            .map_err(|error| CertificateError::Api { what: "Secret not read", error })?;
        let empty = BTreeMap::new();
        let data = found.as_ref().and_then(|secret| secret.data.as_ref()).unwrap_or(&empty);
        let mut material = Material::read(data);
        let names = self.names.dns();
        let plan = plan(&material.present(&names), now);
        if !plan.is_empty() {
            material = material.renewed(&plan, &names, now)?;
            self.write(&secrets, found, &material).await?;
            let (authority, serving) = (plan.add_authority, plan.sign.is_some());
            tracing::info!(authority, serving, "certificates made");
        }
        if bundle::ensure(&self.client, &self.names.configuration, &material.bundle()).await? {
            tracing::info!(configuration = %self.names.configuration, "caBundle written");
        }
        Ok(())
    }

    async fn write(
        &self,
        secrets: &Api<Secret>,
        found: Option<Secret>,
        material: &Material,
    ) -> Result<(), CertificateError> {
        let name = &self.names.secret;
        let exists = found.is_some();
        let mut secret = found.unwrap_or_else(|| Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                labels: Some([(MANAGED_BY.to_owned(), OPERATOR.to_owned())].into()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            ..Secret::default()
        });
        secret.data.get_or_insert_default().extend(material.data());
        let params = PostParams::default();
        let written = if exists {
            // With the resource version that was read: a change in between wins.
            secrets.replace(name, &params, &secret).await
        } else {
            secrets.create(&params, &secret).await
        };
        written
            .map(drop)
            .map_err(|error| CertificateError::Api { what: "Secret not written", error })
    }
}
