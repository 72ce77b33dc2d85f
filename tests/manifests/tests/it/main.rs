//! The checks, on a set in which nothing is wrong, with one thing changed.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod policy;
mod set;
mod sidecars;

use std::sync::LazyLock;

use manifest_check::{
    Manifest,
    checks::{links, policy as rules, relay, schema},
    set::Set,
};
use serde_json::Value;

const CRD: &str = "../../k8s/crd/relays.outbox-sidecar.dev.yaml";

/// The set of `good.yaml`.
fn good() -> Vec<Manifest> {
    Manifest::read_all("good.yaml", include_str!("good.yaml")).unwrap()
}

/// The CRD's schema, which takes a while to make.
fn relays() -> &'static relay::Schemas {
    static SCHEMAS: LazyLock<relay::Schemas> = LazyLock::new(|| {
        let crd = Manifest::read_all(CRD, &std::fs::read_to_string(CRD).unwrap()).unwrap();
        relay::Schemas::from_manifests(&crd).unwrap()
    });
    &SCHEMAS
}

/// The good set, with `value` at a JSON pointer of an object; null removes.
fn changed(object: &str, pointer: &str, value: Value) -> Vec<Manifest> {
    let mut manifests = good();
    let manifest = manifests.iter_mut().find(|manifest| manifest.id() == object).unwrap();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.value.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(member).unwrap()),
        (Value::Object(members), value) => drop(members.insert(member.to_owned(), value)),
        (parent, value) => parent[member.parse::<usize>().unwrap()] = value,
    }
    manifests
}

/// Every problem of a set, as it is printed.
fn problems(manifests: &[Manifest]) -> Vec<String> {
    problems_with(manifests, &[], &[])
}

fn problems_with(manifests: &[Manifest], external: &[&str], exceptions: &[&str]) -> Vec<String> {
    let external: Vec<_> = external.iter().map(ToString::to_string).collect();
    let exceptions: Vec<_> = exceptions.iter().map(|text| text.parse().unwrap()).collect();
    let set = Set::new(manifests, &external).unwrap();
    let mut problems = Vec::new();
    for manifest in manifests {
        problems.extend(schema::check(manifest));
        problems.extend(relays().check(manifest));
    }
    problems.extend(links::check(&set));
    problems.extend(rules::check(&set, &exceptions));
    problems.iter().map(ToString::to_string).collect()
}

/// Asserts that one change leads to one problem, with this text in it.
#[track_caller]
fn one_problem(object: &str, pointer: &str, value: Value, expected: &str) {
    let problems = problems(&changed(object, pointer, value));
    assert_eq!(problems.len(), 1, "{pointer}: {problems:#?}");
    assert!(problems[0].starts_with(&format!("good.yaml: {object}: ")), "{}", problems[0]);
    assert!(problems[0].contains(expected), "{pointer}: {}", problems[0]);
}
