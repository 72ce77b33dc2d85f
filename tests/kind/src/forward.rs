//! Ports of pods on this machine, as `kubectl port-forward` has them.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use k8s_openapi::{
    api::core::v1::{Pod, Service},
    apimachinery::pkg::util::intstr::IntOrString,
};
use kube::{Api, ResourceExt as _};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{Namespace, namespace::is_ready};

/// A local port that leads to a pod's, until it is dropped.
pub struct Forward {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Forward {
    /// `http://127.0.0.1:…`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Namespace {
    /// A local port that leads to a port of a pod.
    ///
    /// # Errors
    /// No local port can be had.
    pub async fn forward_pod(&self, pod: &str, port: u16) -> anyhow::Result<Forward> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (pods, pod) = (self.api::<Pod>(), pod.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that fails is closed; the client sees that.
                tokio::spawn(carry(pods.clone(), pod.clone(), port, stream));
            }
        });
        Ok(Forward { address, task })
    }

    /// A local port that leads to a port of a service: of one of its pods, the
    /// same one for all connections, as with kubectl.
    ///
    /// # Errors
    /// There is no such service, port, or ready pod.
    pub async fn forward_service(&self, name: &str, port: u16) -> anyhow::Result<Forward> {
        let service = self.api::<Service>().get(name).await?;
        let spec = service.spec.with_context(|| format!("service {name} has no spec"))?;
        let wanted = i32::from(port);
        let found = spec.ports.iter().flatten().find(|found| found.port == wanted);
        let found = found.with_context(|| format!("service {name} has no port {port}"))?;
        let selector = spec.selector.unwrap_or_default();
        let selector: Vec<_> =
            selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let pods = self.pods(&selector.join(",")).await?;
        let pod = pods.iter().find(|pod| is_ready(pod));
        let pod = pod.with_context(|| format!("service {name} has no ready pod"))?;
        let target = match &found.target_port {
            Some(IntOrString::String(name)) => container_port(pod, name)
                .with_context(|| format!("pod {} has no port {name}", pod.name_any()))?,
            Some(IntOrString::Int(target)) => *target,
            None => wanted,
        };
        self.forward_pod(&pod.name_any(), u16::try_from(target)?).await
    }
}

/// The number of a container's port by its name.
pub(crate) fn container_port(pod: &Pod, name: &str) -> Option<i32> {
    let spec = pod.spec.as_ref()?;
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut ports = containers.flat_map(|container| container.ports.iter().flatten());
    ports.find(|port| port.name.as_deref() == Some(name)).map(|port| port.container_port)
}

async fn carry(pods: Api<Pod>, pod: String, port: u16, mut local: TcpStream) -> anyhow::Result<()> {
    let mut forwarder = pods.portforward(&pod, &[port]).await?;
    let mut remote = forwarder.take_stream(port).context("no stream")?;
    copy_bidirectional(&mut local, &mut remote).await?;
    drop(remote);
    forwarder.join().await?;
    Ok(())
}
