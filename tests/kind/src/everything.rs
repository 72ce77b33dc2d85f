//! All objects of a namespace, whatever their kind.

use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, ListParams},
    discovery::{Discovery, Scope, verbs},
};

use crate::Namespace;

impl Namespace {
    /// `Kind name` of every object, sorted; without Events, and without what
    /// every namespace has.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn everything(&self) -> anyhow::Result<Vec<String>> {
        let client = self.cluster().client();
        let mut found = Vec::new();
        for group in Discovery::new(client.clone()).run().await?.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if capabilities.scope != Scope::Namespaced
                    || !capabilities.supports_operation(verbs::LIST)
                    || resource.kind == "Event"
                {
                    continue;
                }
                let api: Api<DynamicObject> =
                    Api::namespaced_with(client.clone(), self.name(), &resource);
                let objects = api.list_metadata(&ListParams::default()).await?;
                found.extend(
                    objects.iter().map(|object| format!("{} {}", resource.kind, object.name_any())),
                );
            }
        }
        found.retain(|object| {
            !["ConfigMap kube-root-ca.crt", "ServiceAccount default"].contains(&object.as_str())
        });
        found.sort();
        Ok(found)
    }
}
