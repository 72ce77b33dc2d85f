//! What holds for every pod, and for manifests.

use outbox_operator::{
    api::RelaySpec,
    inject::{Injection, Wanted, inject, inject_manifests},
    yaml,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::defaults;

fn relay() -> Value {
    json!({
        "apiVersion": "outbox-sidecar.dev/v1alpha1",
        "kind": "Relay",
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": {
            "database": { "url": { "secret": { "name": "db", "key": "url" } } },
            "kafka": { "bootstrapServers": ["kafka:9092"] },
            "outboxes": [{ "name": "orders", "table": "outbox", "topic": "orders" }],
        },
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z/~ ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z/~]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Containers, volumes and so on: named objects with anything in them.
fn named() -> impl Strategy<Value = Option<Value>> {
    let item =
        ("[a-z]{1,8}", json_value()).prop_map(|(name, rest)| json!({ "name": name, "rest": rest }));
    prop::option::of(prop::collection::vec(item, 0..4).prop_map(Value::from))
}

fn pod() -> impl Strategy<Value = Value> {
    let labels =
        prop::option::of(prop::collection::btree_map("[a-z./~-]{1,12}", "[a-z]{0,8}", 0..4));
    (named(), named(), named(), labels, json_value()).prop_map(
        |(init, main, volumes, labels, rest)| {
            let mut pod = json!({
                "metadata": { "annotations": { "outbox-sidecar.dev/relay": "orders", "~/": "x" } },
                "spec": { "rest": rest },
            });
            for (list, value) in
                [("initContainers", init), ("containers", main), ("volumes", volumes)]
            {
                if let Some(value) = value {
                    pod["spec"][list] = value;
                }
            }
            if let Some(labels) = labels {
                pod["metadata"]["labels"] = json!(labels);
            }
            pod
        },
    )
}

proptest! {
    #[test]
    fn everything_a_pod_had_is_still_there_and_in_its_place(pod in pod()) {
        let mounted = RelaySpec(relay()["spec"].clone()).mounted().unwrap();
        let wanted = Wanted { relay: "orders", mounted: &mounted };
        let Injection::Patched { patch, .. } = inject(&pod, wanted, &defaults()) else {
            panic!("nothing keeps this pod from being injected")
        };
        let mut patched = pod.clone();
        json_patch::patch(&mut patched, &patch).unwrap();
        for list in ["initContainers", "volumes"] {
            let before = pod["spec"][list].as_array().cloned().unwrap_or_default();
            let after = patched["spec"][list].as_array().unwrap();
            prop_assert_eq!(&after[..before.len()], &before[..]);
            prop_assert_eq!(after.len(), before.len() + 1);
        }
        prop_assert_eq!(&patched["spec"]["containers"], &pod["spec"]["containers"]);
        prop_assert_eq!(&patched["spec"]["rest"], &pod["spec"]["rest"]);
        for map in ["annotations", "labels"] {
            for (key, value) in pod["metadata"][map].as_object().into_iter().flatten() {
                prop_assert_eq!(&patched["metadata"][map][key], value);
            }
        }
    }
}

#[test]
fn workloads_of_every_kind_are_injected_and_other_documents_pass_through() {
    let template = "{ metadata: { annotations: { outbox-sidecar.dev/relay: orders } }, spec: { containers: [{ name: app, image: 'a:1' }] } }";
    let manifests = format!(
        "kind: Service\nmetadata: {{ name: app }}\nspec: {{ x: '0444' }}\n\
         ---\nkind: Pod\nmetadata: {{ name: other }}\nspec: {{ containers: [] }}\n\
         ---\nkind: Deployment\nmetadata: {{ name: d }}\nspec: {{ template: {template} }}\n\
         ---\nkind: StatefulSet\nmetadata: {{ name: s }}\nspec: {{ template: {template} }}\n\
         ---\nkind: DaemonSet\nmetadata: {{ name: ds }}\nspec: {{ template: {template} }}\n\
         ---\nkind: Job\nmetadata: {{ name: j }}\nspec: {{ template: {template} }}\n\
         ---\nkind: CronJob\nmetadata: {{ name: c }}\nspec: {{ jobTemplate: {{ spec: {{ template: {template} }} }} }}\n"
    );
    let documents = yaml::read(&manifests).unwrap();
    let (out, warnings) = inject_manifests(&[relay()], documents.clone(), &defaults()).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(out[..2], documents[..2]);
    for (document, pointer) in out[2..7]
        .iter()
        .zip(["", "", "", "", "/jobTemplate/spec"])
        .map(|(d, p)| (d, format!("/spec{p}/template/spec")))
    {
        let spec = document.pointer(&pointer).unwrap();
        assert_eq!(spec["initContainers"][0]["name"], "outbox-sidecar", "{document}");
    }
    let map = &out[7];
    assert_eq!(out.len(), 8);
    assert_eq!(map["metadata"], json!({ "name": "orders-outbox-sidecar", "namespace": "shop" }));
    assert!(
        map["data"]["config.yaml"].as_str().unwrap().contains("/etc/outbox-sidecar/secret/db/url")
    );
}

#[test]
fn a_relay_that_is_not_given_or_not_valid_is_an_error_that_names_it() {
    let pod = json!({
        "kind": "Pod",
        "metadata": { "name": "app", "annotations": { "outbox-sidecar.dev/relay": "orders" } },
        "spec": { "containers": [] },
    });
    let refused = |relays: &[Value]| {
        inject_manifests(relays, vec![pod.clone()], &defaults()).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[]),
        "Pod/app asks for the Relay orders, which is not given; add --relay FILE"
    );
    let mut other = relay();
    other["metadata"]["name"] = json!("payments");
    assert!(refused(&[other]).contains("asks for the Relay orders"));
    let mut broken = relay();
    broken["spec"]["database"]["url"] = json!({ "env": "URL" });
    assert!(refused(&[broken]).starts_with("Relay orders: database.url: `env` cannot be used"));
    assert!(refused(&[json!({ "kind": "Pod" })]).contains("is not a Relay"));
}
