//! Applying manifests, as `kubectl apply --server-side` does.

use anyhow::Context as _;
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
    discovery,
};
use serde_json::Value;

use crate::Namespace;

/// The owner of the fields the tests set.
const FIELD_MANAGER: &str = "kind-tests";

/// The documents of a manifest, its path being relative to the project's root.
///
/// # Errors
/// The file is not there, or is no YAML.
pub fn manifest(path: &str) -> anyhow::Result<Vec<Value>> {
    let path = test_support::workspace_root().join(path);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

impl Namespace {
    /// Applies objects to this namespace.
    ///
    /// # Errors
    /// The API server refuses one, with what it says.
    pub async fn apply(&self, objects: &[Value]) -> anyhow::Result<()> {
        for object in objects {
            let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
            let version = text("/apiVersion").context("an object without apiVersion")?;
            let kind = text("/kind").context("an object without kind")?;
            let name = text("/metadata/name").context("an object without a name")?;
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let kind = GroupVersionKind::gvk(group, version, kind);
            let client = self.cluster().client();
            let (resource, _) = discovery::pinned_kind(&client, &kind).await?;
            let api: Api<DynamicObject> = Api::namespaced_with(client, self.name(), &resource);
            let parameters = PatchParams::apply(FIELD_MANAGER).force();
            api.patch(name, &parameters, &Patch::Apply(object))
                .await
                .with_context(|| format!("{} {name}", kind.kind))?;
        }
        Ok(())
    }
}
