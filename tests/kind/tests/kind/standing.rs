//! What stands ready for a test, and in whose company it runs.

use kind_tests::{Cluster, Namespace, PATIENCE, helm::Release, ingress};
use shop_tests::client::Client;
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The operator serves the whole cluster: who stops it is alone.
static OPERATOR: RwLock<()> = RwLock::const_new(());

/// The release that is broken on purpose is broken by one at a time. Whether it
/// was installed by this run: that of an earlier one may have older images.
static FAULTS: Mutex<bool> = Mutex::const_new(false);

/// The cluster, for a test that leaves the operator alone.
pub(crate) struct Shared {
    pub(crate) cluster: Cluster,
    _operator: RwLockReadGuard<'static, ()>,
}

/// The cluster, for a test that does not; no other runs meanwhile.
pub(crate) struct Exclusive {
    pub(crate) cluster: Cluster,
    _operator: RwLockWriteGuard<'static, ()>,
}

/// A release of its own, for whatever breaks it.
pub(crate) struct Victim {
    pub(crate) namespace: Namespace,
    pub(crate) client: Client,
    _shared: Shared,
    _turn: MutexGuard<'static, bool>,
}

/// The host of its API.
const VICTIM_HOST: &str = "api.faults.localhost";

/// What the victim is installed with.
pub(crate) const VICTIM_VALUES: [&str; 2] =
    ["tests/kind/values/small.yaml", "tests/kind/values/faults.yaml"];

impl Shared {
    pub(crate) async fn new() -> Self {
        let operator = OPERATOR.read().await;
        Self { cluster: Cluster::connect().await.unwrap(), _operator: operator }
    }
}

impl Exclusive {
    pub(crate) async fn new() -> Self {
        let operator = OPERATOR.write().await;
        Self { cluster: Cluster::connect().await.unwrap(), _operator: operator }
    }
}

impl Victim {
    /// Installs it if it is not there, and undoes what the last test has done to it.
    pub(crate) async fn new() -> Self {
        // In this order, so that nobody waits for the operator with the turn in hand.
        let shared = Shared::new().await;
        let mut turn = FAULTS.lock().await;
        let namespace = shared.cluster.namespace("e2e-faults");
        if !*turn {
            namespace.delete().await.unwrap();
            namespace.create().await.unwrap();
            *turn = true;
        }
        let victim = Self {
            client: ingress::shop(VICTIM_HOST).unwrap(),
            namespace,
            _shared: shared,
            _turn: turn,
        };
        victim.release().install(&VICTIM_VALUES, &[]).await.unwrap();
        victim.namespace.settled().await.unwrap();
        // Not by the victim's client, which counts what goes wrong.
        let client = ingress::shop(VICTIM_HOST).unwrap();
        let served = victim
            .namespace
            .until("the ingress leads to it", PATIENCE, async || client.orders(1).await.map(drop));
        served.await.unwrap();
        victim
    }

    pub(crate) fn release(&self) -> Release<'_> {
        Release::new(&self.namespace, "faults", "orders-payments")
    }
}

/// Selects the pods of a component.
pub(crate) fn component(name: &str) -> String {
    format!("app.kubernetes.io/component={name}")
}
