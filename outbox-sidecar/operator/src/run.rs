//! All parts of an operator, started and stopped.
//!
//! Every replica answers the webhook. One leads: it alone makes certificates,
//! looks at relays and writes.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use futures::future;
use kube::{
    Api, Client,
    api::ListParams,
    core::DeserializeGuard,
    runtime::events::{Recorder, Reporter},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Readiness},
    api::Relay,
    certificates::{self, Keeper, ServingCertificate, Trust, follow_files, follow_secret},
    controller::{self, Context, Memory, PodMonitors, Poll, Scope, watch_pods},
    error::chain,
    inject::Defaults,
    leader::{Elector, Lost},
    metrics::Metrics,
    names::OPERATOR,
    webhook::{self, TlsListener, Webhook},
};

/// Requests in flight are finished within this time after a stop.
const GRACE: Duration = Duration::from_secs(15);

/// How often it is looked whether the custom resource is installed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What an operator is told.
#[derive(Debug)]
pub struct Options {
    /// Its own namespace.
    pub namespace: String,
    /// Its pod, which names it among the replicas.
    pub pod_name: String,
    /// What sidecars get.
    pub defaults: Defaults,
    /// Where certificates come from.
    pub certificates: Certificates,
    /// The name of the Lease.
    pub lease: String,
    /// The namespaces looked after; empty: all.
    pub watch_namespaces: Vec<String>,
    /// Whether PodMonitors are made where they are known.
    pub pod_monitors: bool,
    /// How often sidecars are asked.
    pub status_interval: Duration,
    /// Where the webhook listens.
    pub listen_webhook: SocketAddr,
    /// Where health and metrics are.
    pub listen_admin: SocketAddr,
}

/// Where certificates come from.
#[derive(Debug)]
pub enum Certificates {
    /// They are made here.
    SelfMade(certificates::Names),
    /// They are files in this folder.
    Files(PathBuf),
}

/// Why an operator ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address cannot be listened on, or signals not be heard.
    #[error("{what}: {error}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why it failed.
        #[source]
        error: io::Error,
    },
    /// There is no API server to talk to.
    #[error("the API server's address and credentials cannot be found: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The metrics are wrongly defined.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
    /// The client for sidecars cannot be set up.
    #[error("sidecars cannot be asked: {0}")]
    Poll(#[from] reqwest::Error),
    /// Another may lead by now.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Runs an operator on a runtime of its own until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, or it can no longer be certain to lead.
pub fn block_on(options: Options) -> Result<(), RunError> {
    let failed = |error| RunError::Io { what: "the process cannot be set up".into(), error };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(async {
        let stop = stop_on_signals().map_err(failed)?;
        // Both that a process may link have to be told which one it is.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_default().await.map_err(|error| RunError::Client(error.into()))?;
        run(options, client, stop).await
    })
}

fn stop_on_signals() -> io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let signalled = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping on SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping on SIGINT"),
        }
        signalled.cancel();
    });
    Ok(stop)
}

/// Runs an operator until told to stop; then finishes what is under way and
/// gives the lease back.
///
/// # Errors
/// An address is taken, or the lease was lost.
pub async fn run(
    options: Options,
    client: Client,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(version, namespaces = ?options.watch_namespaces, "starting");
    let metrics = Metrics::new()?;
    let serving = ServingCertificate::new(metrics.clone());
    let trust = match &options.certificates {
        Certificates::SelfMade(_) => Trust::default(),
        Certificates::Files(_) => Trust::assumed(),
    };

    let mut tasks = JoinSet::new();
    follow_certificates(&mut tasks, &options, &client, &serving, &trust, &stop);

    // Answers until everything else has stopped.
    let admin_stop = CancellationToken::new();
    let readiness = Readiness { serving: serving.clone(), trust };
    let admin = listen("admin", options.listen_admin).await?;
    let admin = serve(admin, admin::router(readiness, metrics.clone()), admin_stop.clone());
    let admin = tokio::spawn(admin);

    let webhook = Webhook::new(
        client.clone(),
        options.defaults.clone(),
        options.watch_namespaces.clone(),
        metrics.clone(),
    );
    let address = options.listen_webhook;
    let listener = TlsListener::bind(address, serving.server_config()?).await;
    let listener = listener.map_err(|error| cannot_listen("webhook", address, error))?;
    tracing::info!(listener = "webhook", %address, "listening");
    tasks.spawn(serve(listener, webhook::router(Arc::new(webhook)), stop.clone()));

    let led = lead(&options, &client, &metrics, &stop).await;
    stop.cancel();
    if tokio::time::timeout(GRACE, async { while tasks.join_next().await.is_some() {} })
        .await
        .is_err()
    {
        tracing::warn!(grace = ?GRACE, "what was still under way was cut");
    }
    admin_stop.cancel();
    // It ends with the process in any case.
    let _ = tokio::time::timeout(Duration::from_secs(1), admin).await;
    tracing::info!("stopped");
    led
}

fn follow_certificates(
    tasks: &mut JoinSet<()>,
    options: &Options,
    client: &Client,
    serving: &ServingCertificate,
    trust: &Trust,
    stop: &CancellationToken,
) {
    match &options.certificates {
        Certificates::Files(folder) => {
            tasks.spawn(follow_files(folder.clone(), serving.clone(), stop.clone()));
        }
        Certificates::SelfMade(names) => {
            let names = names.clone();
            let (client, serving, trust) = (client.clone(), serving.clone(), trust.clone());
            let stop = stop.clone();
            tasks.spawn(async move {
                let secret = follow_secret(
                    client.clone(),
                    names.namespace,
                    names.secret,
                    serving,
                    trust.clone(),
                    stop.clone(),
                );
                future::join(secret, trust.wait(client, names.configuration, stop)).await;
            });
        }
    }
}

/// Waits to lead, leads, and gives the lease back.
async fn lead(
    options: &Options,
    client: &Client,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let identity = format!("{}_{}", options.pod_name, uuid::Uuid::new_v4());
    let mut elector =
        Elector::new(client.clone(), &options.namespace, options.lease.clone(), identity);
    tokio::select! {
        () = stop.cancelled() => return Ok(()),
        () = elector.acquire() => {}
    }
    metrics.leads(true);
    let led = tokio::select! {
        // What is written by then is written; nothing more will be.
        lost = elector.keep() => Err(RunError::Lost(lost)),
        done = do_what_leaders_do(options, client, metrics, stop) => done,
    };
    metrics.leads(false);
    if led.is_ok() {
        elector.release().await;
    }
    led
}

async fn do_what_leaders_do(
    options: &Options,
    client: &Client,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let scopes: Vec<Scope> = match options.watch_namespaces.as_slice() {
        [] => vec![None],
        namespaces => namespaces.iter().cloned().map(Some).collect(),
    };
    let keeper = async {
        match &options.certificates {
            Certificates::SelfMade(names) => Keeper::new(client.clone(), names.clone()).run().await,
            Certificates::Files(_) => future::pending().await,
        }
    };
    let poll = Poll::new()?;
    let looks = async {
        tokio::select! {
            () = stop.cancelled() => return,
            () = installed(client, &scopes) => {}
        }
        let (pods, touched): (Vec<_>, Vec<_>) =
            scopes.iter().map(|scope| watch_pods(client, scope, stop.clone())).unzip();
        let reporter =
            Reporter { controller: OPERATOR.into(), instance: Some(options.pod_name.clone()) };
        let context = Arc::new(Context {
            client: client.clone(),
            defaults: options.defaults.clone(),
            poll,
            recorder: Recorder::new(client.clone(), reporter),
            pod_monitors: PodMonitors::new(options.pod_monitors),
            metrics: metrics.clone(),
            interval: options.status_interval,
            pods,
            memory: Memory::default(),
        });
        let controllers = scopes.into_iter().zip(touched).map(|(scope, touched)| {
            controller::run(Arc::clone(&context), scope, touched, stop.clone())
        });
        future::join_all(controllers).await;
    };
    tokio::select! {
        () = looks => {}
        () = keeper => {}
    }
    Ok(())
}

/// Waits until relays can be listed in every scope, and says what is missing.
async fn installed(client: &Client, scopes: &[Scope]) {
    let mut said = None;
    let one = ListParams::default().limit(1);
    for scope in scopes {
        let relays: Api<DeserializeGuard<Relay>> = match scope {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => Api::all(client.clone()),
        };
        while let Err(error) = relays.list(&one).await {
            let problem = match &error {
                kube::Error::Api(status) if status.code == 404 => {
                    "the custom resource Relay is not installed; install it, as by outbox-operator crd | kubectl apply -f -".to_owned()
                }
                error => chain(error),
            };
            if said.as_ref() != Some(&problem) {
                tracing::error!(error = %problem, "relays cannot be listed");
                said = Some(problem);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

async fn listen(name: &'static str, address: SocketAddr) -> Result<TcpListener, RunError> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| cannot_listen(name, address, error))?;
    tracing::info!(listener = name, %address, "listening");
    Ok(listener)
}

fn cannot_listen(name: &str, address: SocketAddr, error: io::Error) -> RunError {
    RunError::Io { what: format!("cannot listen on {address} ({name})"), error }
}

async fn serve<L>(listener: L, router: Router, stop: CancellationToken)
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let server = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = server.await {
        tracing::error!(%error, "listener ended");
    }
}
