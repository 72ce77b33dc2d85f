//! Comparing sidecars.

use manifest_check::{Manifest, sidecars};
use serde_json::{Value, json};

use crate::good;

/// The good set, with a sidecar in its Deployment.
fn with_sidecar(change: impl FnOnce(&mut Value)) -> Vec<Manifest> {
    let mut manifests = good();
    let deployment = manifests.iter_mut().find(|manifest| manifest.kind() == "Deployment").unwrap();
    let template = &mut deployment.value["spec"]["template"];
    template["metadata"]["labels"]["outbox-sidecar.dev/relay"] = json!("web");
    template["spec"]["initContainers"] =
        json!([{"name": "setup", "image": "a:1"}, {"name": "outbox-sidecar", "image": "a:1"}]);
    let item = |key: &str| json!({"key": key, "path": key});
    template["spec"]["volumes"] = json!([{"name": "outbox-sidecar", "projected": {"sources": [
        {"configMap": {"name": "web", "items": [item("config.yaml")]}},
        {"secret": {"name": "database", "items": [item("url"), item("ca.crt")]}},
    ]}}]);
    change(template);
    manifests
}

fn differences(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let problems = sidecars::compare(&with_sidecar(|_| ()), &with_sidecar(change));
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_sidecar_is_no_problem_in_whatever_order_its_files_stand() {
    assert_eq!(differences(|_| ()), [""; 0]);
    let reversed = differences(|template| {
        let sources = &mut template["spec"]["volumes"][0]["projected"]["sources"];
        sources.as_array_mut().unwrap().reverse();
        sources[0]["secret"]["items"].as_array_mut().unwrap().reverse();
    });
    assert_eq!(reversed, [""; 0]);
}

#[test]
fn a_difference_is_named_with_its_path() {
    let image =
        differences(|template| template["spec"]["initContainers"][1]["image"] = json!("a:2"));
    assert_eq!(
        image,
        [r#"good.yaml: Deployment/web: container.image: is "a:1", but "a:2" in good.yaml"#]
    );
    let label = differences(|template| {
        template["metadata"]["labels"]["outbox-sidecar.dev/relay"] = json!("other");
    });
    assert!(label[0].contains("relay: is"), "{label:?}");
    let order = differences(|template| {
        template["spec"]["initContainers"].as_array_mut().unwrap().reverse();
    });
    assert!(order[0].contains("isLast: is true, but false"), "{order:?}");
    let key = differences(|template| {
        template["spec"]["volumes"][0]["projected"]["sources"][1]["secret"]["items"][0]["key"] =
            json!("uri");
    });
    assert!(key[0].contains("volume.projected.sources"), "{key:?}");
}

#[test]
fn nothing_to_compare_is_a_problem() {
    let problems = sidecars::compare(&good(), &good());
    assert!(problems[0].to_string().contains("no workload with a sidecar is in both"));
}
