//! The cluster's Prometheus, by its API.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{Cluster, forward::Forward};

/// A connection to it, by port-forward.
pub struct Prometheus {
    http: reqwest::Client,
    forward: Forward,
}

/// Something it scrapes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// `http://address:port/metrics`.
    pub scrape_url: String,
    /// `up`, `down` or `unknown`.
    pub health: String,
    /// Why it is not up.
    pub last_error: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Found {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

impl Prometheus {
    /// The service `prometheus` of the namespace `monitoring`.
    ///
    /// # Errors
    /// It is not there or has no ready pod.
    pub async fn connect(cluster: &Cluster) -> anyhow::Result<Self> {
        let forward = cluster.namespace("monitoring").forward_service("prometheus", 9090).await?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, forward })
    }

    /// Everything it scrapes.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn targets(&self) -> anyhow::Result<Vec<Target>> {
        let targets: Targets = self.get("/api/v1/targets?state=active", &[]).await?;
        Ok(targets.active_targets)
    }

    /// The value of a query that has one.
    ///
    /// # Errors
    /// It has none or several, or Prometheus does not answer.
    pub async fn value(&self, query: &str) -> anyhow::Result<f64> {
        let found: Found = self.get("/api/v1/query", &[("query", query)]).await?;
        ensure!(found.result.len() == 1, "{query} has {} series", found.result.len());
        found.result[0].value.1.parse().with_context(|| query.to_owned())
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<T> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.forward.url()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let answer = self.http.get(url).send().await?.error_for_status()?;
        Ok(answer.json::<Answer<T>>().await?.data)
    }
}
