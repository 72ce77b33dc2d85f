//! An API server in this process: it keeps objects and answers get, list,
//! watch, create, replace and patch as far as the operator needs them, can be
//! told to fail, and remembers what it was asked to write.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use kube::Client;
use serde_json::{Value, json};
use tokio::sync::broadcast;

const PLURALS: [&str; 7] =
    ["relays", "pods", "configmaps", "secrets", "leases", "events", "podmonitors"];

/// Clones share it.
#[derive(Clone)]
pub(crate) struct FakeApi(Arc<Inner>);

struct Inner {
    state: Mutex<Stored>,
    changes: broadcast::Sender<(String, Value)>,
}

#[derive(Default)]
struct Stored {
    objects: BTreeMap<String, Value>,
    version: u64,
    requests: Vec<String>,
    writes: Vec<String>,
    failing: Vec<(String, u16)>,
}

impl FakeApi {
    /// Starts it; the client is one of it.
    pub(crate) async fn start() -> (Self, Client) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api =
            Self(Arc::new(Inner { state: Mutex::default(), changes: broadcast::channel(1024).0 }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(handle).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let uri = format!("http://{address}").parse().unwrap();
        (api, Client::try_from(kube::Config::new(uri)).unwrap())
    }

    /// Puts an object, as somebody else would.
    pub(crate) fn put(&self, path: &str, object: Value) {
        self.store(path, object);
    }

    pub(crate) fn delete(&self, path: &str) {
        let gone = self.0.state.lock().unwrap().objects.remove(path).unwrap();
        self.tell(path, "DELETED", gone);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.state.lock().unwrap().objects.get(path).cloned()
    }

    /// Requests whose `METHOD path` contains the text are answered with this code.
    pub(crate) fn fail(&self, request: &str, code: u16) {
        self.0.state.lock().unwrap().failing.push((request.to_owned(), code));
    }

    pub(crate) fn heal(&self) {
        self.0.state.lock().unwrap().failing.clear();
    }

    /// Whether this was asked for.
    pub(crate) fn asked(&self, method: &str, path: &str) -> bool {
        self.0.state.lock().unwrap().requests.contains(&format!("{method} {path}"))
    }

    /// `METHOD path` of every write so far that contains the text.
    pub(crate) fn writes(&self, text: &str) -> Vec<String> {
        let writes = self.0.state.lock().unwrap().writes.clone();
        writes.into_iter().filter(|write| write.contains(text)).collect()
    }

    /// Reason and note of every Event so far.
    pub(crate) fn events(&self) -> Vec<String> {
        let state = self.0.state.lock().unwrap();
        let events = state.objects.iter().filter(|(path, _)| path.contains("/events/"));
        events
            .map(|(_, e)| {
                format!(
                    "{} {} {}",
                    e["regarding"]["kind"].as_str().unwrap(),
                    e["reason"].as_str().unwrap(),
                    e["note"].as_str().unwrap()
                )
            })
            .collect()
    }

    fn store(&self, path: &str, mut object: Value) -> Value {
        let mut state = self.0.state.lock().unwrap();
        state.version += 1;
        let before = state.objects.get(path).cloned();
        let metadata = &mut object["metadata"];
        if metadata["name"].is_null() {
            metadata["name"] = json!(path.rsplit('/').next().unwrap());
        }
        if let Some((_, rest)) = path.split_once("/namespaces/") {
            metadata["namespace"] = json!(rest.split('/').next().unwrap());
        }
        let uid = before.as_ref().map(|before| before["metadata"]["uid"].clone());
        metadata["uid"] = uid.unwrap_or_else(|| json!(format!("uid-{}", state.version)));
        metadata["resourceVersion"] = json!(state.version.to_string());
        let generation =
            before.as_ref().map_or(0, |b| b["metadata"]["generation"].as_i64().unwrap());
        let changed = before.as_ref().is_none_or(|before| before["spec"] != object["spec"]);
        object["metadata"]["generation"] = json!(generation + i64::from(changed));
        state.objects.insert(path.to_owned(), object.clone());
        drop(state);
        self.tell(path, if before.is_some() { "MODIFIED" } else { "ADDED" }, object.clone());
        object
    }

    fn tell(&self, path: &str, change: &str, object: Value) {
        let _ = self.0.changes.send((path.to_owned(), json!({ "type": change, "object": object })));
    }
}

fn refuse(code: u16, reason: &str) -> Response {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure",
        "message": reason, "reason": reason, "code": code,
    });
    (StatusCode::from_u16(code).unwrap(), Json(status)).into_response()
}

/// Whether the object is one of the collection, across namespaces or in one.
fn belongs(path: &str, collection: &str) -> bool {
    let (folder, plural) = collection.rsplit_once('/').unwrap();
    let Some((prefix, _)) = path.rsplit_once('/') else { return false };
    prefix == collection
        || (prefix.starts_with(&format!("{folder}/namespaces/"))
            && prefix.ends_with(&format!("/{plural}")))
}

async fn handle(
    State(api): State<FakeApi>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let request = format!("{method} {path}");
    {
        let mut state = api.0.state.lock().unwrap();
        state.requests.push(request.clone());
        if method != Method::GET {
            state.writes.push(request.clone());
        }
        if let Some((_, code)) = state.failing.iter().find(|(part, _)| request.contains(part)) {
            return refuse(*code, "told to fail");
        }
    }
    let collection = path.rsplit('/').next().is_some_and(|last| PLURALS.contains(&last));
    match method {
        Method::GET if collection && query.contains_key("watch") => watch(&api, path, &query),
        Method::GET if collection => list(&api, &path, &query),
        Method::GET => match api.get(&path) {
            Some(object) => Json(object).into_response(),
            None => refuse(404, "NotFound"),
        },
        Method::POST => {
            let object: Value = serde_json::from_slice(&body).unwrap();
            let path = format!("{path}/{}", object["metadata"]["name"].as_str().unwrap());
            if api.get(&path).is_some() {
                return refuse(409, "AlreadyExists");
            }
            (StatusCode::CREATED, Json(api.store(&path, object))).into_response()
        }
        Method::PUT => {
            let object: Value = serde_json::from_slice(&body).unwrap();
            let Some(before) = api.get(&path) else { return refuse(404, "NotFound") };
            let version = &object["metadata"]["resourceVersion"];
            if !version.is_null() && *version != before["metadata"]["resourceVersion"] {
                return refuse(409, "Conflict");
            }
            Json(api.store(&path, object)).into_response()
        }
        Method::PATCH => patch(&api, &path, headers["content-type"].to_str().unwrap(), &body),
        _ => refuse(405, "MethodNotAllowed"),
    }
}

fn patch(api: &FakeApi, path: &str, kind: &str, body: &[u8]) -> Response {
    let path = path.strip_suffix("/status").unwrap_or(path);
    let before = api.get(path);
    let mut object = match (&before, kind) {
        (Some(before), _) => before.clone(),
        (None, "application/apply-patch+yaml") => json!({}),
        (None, _) => return refuse(404, "NotFound"),
    };
    if kind == "application/json-patch+json" {
        let patch: json_patch::Patch = serde_json::from_slice(body).unwrap();
        if json_patch::patch(&mut object, &patch).is_err() {
            return refuse(422, "Invalid");
        }
    } else {
        json_patch::merge(&mut object, &serde_json::from_slice(body).unwrap());
    }
    let unchanged = before.as_ref() == Some(&object);
    Json(if unchanged { object } else { api.store(path, object) }).into_response()
}

fn wanted(query: &BTreeMap<String, String>, object: &Value) -> bool {
    let selector = query.get("fieldSelector").and_then(|s| s.strip_prefix("metadata.name="));
    let label = query.get("labelSelector").and_then(|s| s.split_once('='));
    selector.is_none_or(|name| object["metadata"]["name"] == name)
        && label.is_none_or(|(key, value)| object["metadata"]["labels"][key] == value)
}

fn list(api: &FakeApi, collection: &str, query: &BTreeMap<String, String>) -> Response {
    let state = api.0.state.lock().unwrap();
    let items: Vec<_> = state
        .objects
        .iter()
        .filter(|(path, object)| belongs(path, collection) && wanted(query, object))
        .map(|(_, object)| object)
        .collect();
    let version = state.version.to_string();
    Json(json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": version }, "items": items }))
        .into_response()
}

fn watch(api: &FakeApi, collection: String, query: &BTreeMap<String, String>) -> Response {
    let query = query.clone();
    let after: u64 = query.get("resourceVersion").and_then(|v| v.parse().ok()).unwrap_or(0);
    let changes = api.0.changes.subscribe();
    // What came between the list and this watch.
    let missed: Vec<_> = {
        let state = api.0.state.lock().unwrap();
        let newer = |object: &Value| {
            object["metadata"]["resourceVersion"].as_str().unwrap().parse::<u64>().unwrap() > after
        };
        let objects = state.objects.iter().filter(|(_, object)| newer(object));
        objects
            .map(|(path, o)| (path.clone(), json!({ "type": "MODIFIED", "object": o })))
            .collect()
    };
    let later = stream::unfold(changes, |mut changes| async {
        loop {
            match changes.recv().await {
                Ok(change) => return Some((change, changes)),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    let lines = stream::iter(missed).chain(later).filter_map(move |(path, change)| {
        let tell = belongs(&path, &collection) && wanted(&query, &change["object"]);
        std::future::ready(tell.then(|| Ok::<_, Infallible>(format!("{change}\n"))))
    });
    Body::from_stream(lines).into_response()
}
