//! The watches that make relays looked at.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, channel::mpsc, future};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, ResourceExt as _,
    core::{DeserializeGuard, NamespaceResourceScope},
    runtime::{
        Controller, PredicateConfig, WatchStreamExt as _,
        controller::Config,
        predicates,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::{
    Context, on_error,
    pods::{prune, relay_of},
    reconcile,
};
use crate::{
    api::Relay,
    names::{MANAGED_BY, OPERATOR},
};

/// Looks under way at a time.
const CONCURRENCY: u16 = 8;

/// Changes that follow each other closely are one.
const DEBOUNCE: std::time::Duration = std::time::Duration::from_millis(300);

type GuardedRelay = DeserializeGuard<Relay>;

/// A namespace, or all.
pub type Scope = Option<String>;

fn in_scope<K>(client: &Client, scope: &Scope) -> Api<K>
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches the pods of a scope that ask for a relay. Returns them, and a stream
/// of the relays whose pods change.
pub fn watch_pods(
    client: &Client,
    scope: &Scope,
    stop: CancellationToken,
) -> (Store<Pod>, mpsc::UnboundedReceiver<ObjectRef<GuardedRelay>>) {
    let (reader, writer) = reflector::store();
    let (touched, relays) = mpsc::unbounded();
    let changes = watcher(in_scope::<Pod>(client, scope), watcher::Config::default())
        .default_backoff()
        .modify(prune)
        .try_filter_map(|event| future::ready(Ok(relevant(event))))
        .reflect(writer)
        .touched_objects()
        .take_until(stop.cancelled_owned());
    tokio::spawn(changes.for_each(move |change| {
        match change {
            Ok(pod) => {
                if let Some(relay) = relay_of(&pod) {
                    let relay = ObjectRef::new(relay).within(&pod.namespace().unwrap_or_default());
                    // Nobody listens any more when the process stops.
                    let _ = touched.unbounded_send(relay);
                }
            }
            Err(error) => tracing::warn!(%error, "watch of pods broke off"),
        }
        future::ready(())
    }));
    (reader, relays)
}

/// Keeps pods that have nothing to do with a relay out of the store.
fn relevant(event: Event<Pod>) -> Option<Event<Pod>> {
    match event {
        Event::Apply(pod) if relay_of(&pod).is_none() => Some(Event::Delete(pod)),
        Event::InitApply(pod) if relay_of(&pod).is_none() => None,
        event => Some(event),
    }
}

/// Looks at the relays of a scope until told to stop; then finishes the looks
/// under way.
pub async fn run(
    context: Arc<Context>,
    scope: Scope,
    touched: mpsc::UnboundedReceiver<ObjectRef<GuardedRelay>>,
    stop: CancellationToken,
) {
    let client = &context.client;
    let (reader, writer) = reflector::store();
    let relays = watcher(in_scope::<GuardedRelay>(client, &scope), watcher::Config::default())
        .default_backoff()
        .reflect(writer)
        .inspect_ok({
            let context = Arc::clone(&context);
            move |event| {
                if let Event::Delete(relay) = event {
                    context.forget(relay);
                }
            }
        })
        .applied_objects()
        // Not for what is written into the status here.
        .predicate_filter(predicates::generation, PredicateConfig::default());
    let ours = watcher::Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    Controller::for_stream(relays, reader)
        .owns(in_scope::<ConfigMap>(client, &scope), ours)
        .reconcile_on(touched)
        .with_config(Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(reconcile, on_error, Arc::clone(&context))
        .for_each(|result| {
            // Failed looks are logged where their wait is decided.
            if let Err(kube::runtime::controller::Error::QueueError(error)) = result {
                tracing::warn!(%error, "watch of relays broke off");
            }
            future::ready(())
        })
        .await;
}
