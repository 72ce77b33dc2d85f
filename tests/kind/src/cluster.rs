//! The cluster the tests run on.

use std::env;

use anyhow::Context as _;
use kube::{
    Api, Client, Config,
    config::KubeConfigOptions,
    core::{ClusterResourceScope, Resource},
};

use crate::Namespace;

/// A kind cluster; clones share their connections.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    context: String,
}

impl Cluster {
    /// The cluster named by `KIND_CLUSTER`, or `outbox`.
    ///
    /// # Errors
    /// There is no kubectl context of it.
    pub async fn connect() -> anyhow::Result<Self> {
        // Another test of this process may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let name = env::var("KIND_CLUSTER").unwrap_or_else(|_| "outbox".to_owned());
        let context = format!("kind-{name}");
        let options =
            KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
        let config = Config::from_kubeconfig(&options)
            .await
            .with_context(|| format!("no kubectl context {context}; `make kind-up` makes it"))?;
        Ok(Self { client: Client::try_from(config)?, context })
    }

    /// The kubectl context.
    pub fn context(&self) -> &str {
        &self.context
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Objects that belong to no namespace.
    pub fn all<K>(&self) -> Api<K>
    where
        K: Resource<Scope = ClusterResourceScope, DynamicType = ()>,
    {
        Api::all(self.client())
    }

    /// A namespace that is there.
    pub fn namespace(&self, name: &str) -> Namespace {
        Namespace::new(self.clone(), name)
    }
}
