//! What the injector does to pods: `tests/golden/<case>.yaml` is a relay and a
//! pod, `<case>.expected.yaml` the patch, the warnings and the patched pod.
//! After a change that is meant, `UPDATE_GOLDEN=1 cargo test -p outbox-operator`
//! writes the expected files anew.

use std::{collections::BTreeMap, env, fs, path::Path};

use outbox_operator::{
    api::RelaySpec,
    inject::{Defaults, Injection, Wanted, inject, requested},
    yaml,
};
use serde_json::{Value, json};

pub(crate) fn defaults() -> Defaults {
    Defaults {
        image: "outbox-sidecar:1.2.3".into(),
        image_pull_policy: Some("IfNotPresent".into()),
        resources: json!({
            "requests": { "cpu": "20m", "memory": "32Mi" },
            "limits": { "memory": "128Mi" },
        }),
    }
}

/// The patch, the warnings, and the pod with the patch applied.
fn outcome(relay: &Value, pod: &Value) -> Value {
    let name = requested(&pod["metadata"]).expect("the pod asks for a relay").unwrap();
    assert_eq!(relay["metadata"]["name"], name);
    let mounted = RelaySpec(relay["spec"].clone()).mounted().unwrap();
    match inject(pod, Wanted { relay: name, mounted: &mounted }, &defaults()) {
        Injection::Skipped(skip) => {
            json!({ "skipped": format!("{skip:?}"), "warnings": skip.warning().into_iter().collect::<Vec<_>>() })
        }
        Injection::Patched { patch, warnings } => {
            assert!(
                patch
                    .iter()
                    .all(|operation| matches!(operation, json_patch::PatchOperation::Add(_))),
                "only additions"
            );
            let mut patched = pod.clone();
            json_patch::patch(&mut patched, &patch).unwrap();
            let again = inject(&patched, Wanted { relay: name, mounted: &mounted }, &defaults());
            assert!(matches!(again, Injection::Skipped(_)), "a second call changes nothing");
            json!({ "warnings": warnings, "patch": patch, "pod": patched })
        }
    }
}

fn cases() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| !path.to_str().unwrap().ends_with(".expected.yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_pod_gets_the_sidecar_that_was_agreed() {
    let cases = cases();
    assert!(cases.len() >= 9, "{:?}", cases.keys());
    let mut wrong = Vec::new();
    for (name, text) in cases {
        let documents = yaml::read(&text).unwrap();
        let [relay, pod] = documents.as_slice() else { panic!("{name} is not a relay and a pod") };
        let found = outcome(relay, pod);
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("tests/golden/{name}.expected.yaml"));
        if env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, yaml::print(&found).unwrap()).unwrap();
            continue;
        }
        let expected = yaml::read(&fs::read_to_string(&file).unwrap()).unwrap().remove(0);
        if found != expected {
            wrong.push(format!("{name}:\n{}", yaml::print(&found).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "not as expected (UPDATE_GOLDEN=1 accepts it): {}", wrong.join("\n"));
}
