//! What one object says of another: selectors that select something, names of
//! things that exist, ports that are there.

use std::collections::HashMap;

use serde_json::Value;

use super::references;
use crate::{
    Manifest, Problem,
    pods::{Pods, at},
    set::Set,
};

/// Checks every link of `set`.
pub fn check(set: &Set<'_>) -> Vec<Problem> {
    let mut problems = duplicates(set);
    for manifest in set.manifests() {
        let mut check = Check { set, manifest, problems: &mut problems };
        match manifest.kind() {
            "Deployment" | "StatefulSet" | "DaemonSet" => check.workload(),
            "Service" => check.service(),
            "PodDisruptionBudget" => check.selector("spec.selector"),
            "NetworkPolicy" => check.network_policy(),
            "HorizontalPodAutoscaler" => check.autoscaler(),
            "PodMonitor" => check.monitor("spec.podMetricsEndpoints"),
            "ServiceMonitor" => check.monitor("spec.endpoints"),
            "Ingress" => check.ingress(),
            "HTTPRoute" => check.route(),
            "MutatingWebhookConfiguration" => check.webhooks(),
            "RoleBinding" | "ClusterRoleBinding" => check.binding(),
            _ => {}
        }
    }
    problems.extend(references::check(set));
    problems
}

fn duplicates(set: &Set<'_>) -> Vec<Problem> {
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for manifest in set.manifests() {
        let group = manifest.api_version().rsplit_once('/').map_or("", |(group, _)| group);
        let key = (group, manifest.kind(), manifest.namespace(), manifest.name());
        if let Some(first) = seen.insert(key, manifest) {
            let message = format!("is there twice, first in {}", first.source);
            problems.push(Problem::new(manifest, "", message));
        }
    }
    problems
}

/// The links of one object.
struct Check<'c, 'a> {
    set: &'c Set<'a>,
    manifest: &'a Manifest,
    problems: &'c mut Vec<Problem>,
}

impl<'a> Check<'_, 'a> {
    fn value(&self, path: &str) -> &'a Value {
        at(&self.manifest.value, path)
    }

    fn items(&self, path: &str) -> impl Iterator<Item = (usize, &'a Value)> + use<'a> {
        self.value(path).as_array().into_iter().flatten().enumerate()
    }

    fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem::new(self.manifest, path, message));
    }

    fn exists(&mut self, path: &str, kind: &str, name: &Value) {
        let name = name.as_str().unwrap_or_default();
        if !self.set.exists(kind, self.manifest.namespace(), name) {
            self.wrong(path, format!("there is no {kind}/{name}"));
        }
    }

    fn workload(&mut self) {
        let labels = self.value("spec.template.metadata.labels");
        let selector = self.value("spec.selector.matchLabels").as_object();
        if selector.is_none_or(serde_json::Map::is_empty) {
            self.wrong("spec.selector.matchLabels", "selects nothing");
        }
        for (name, value) in selector.into_iter().flatten() {
            if labels[name] != *value {
                let message = format!("its own pods do not have {name}={}", text(value));
                self.wrong("spec.selector.matchLabels", message);
            }
        }
        if self.manifest.kind() == "StatefulSet" && self.value("spec.serviceName").is_string() {
            self.exists("spec.serviceName", "Service", self.value("spec.serviceName"));
        }
    }

    /// A selector of pods should select some.
    fn selector(&mut self, path: &str) {
        let labels = self.value(&format!("{path}.matchLabels"));
        if self.set.selected(self.manifest.namespace(), labels).is_empty() {
            self.wrong(path, "selects no pods");
        }
    }

    fn service(&mut self) {
        let selector = self.value("spec.selector");
        if selector.is_null() {
            return;
        }
        let pods = self.set.selected(self.manifest.namespace(), selector);
        if pods.is_empty() {
            self.wrong("spec.selector", "selects no pods");
            return;
        }
        for (index, port) in self.items("spec.ports") {
            let target =
                if port["targetPort"].is_null() { &port["port"] } else { &port["targetPort"] };
            if !pods.iter().any(|pods| pods.has_port(target) || self.injects(pods, target)) {
                let message =
                    format!("no container of the selected pods has port {}", text(target));
                self.wrong(format!("spec.ports[{index}].targetPort"), message);
            }
        }
    }

    /// Whether the pods get a sidecar that listens on this port.
    fn injects(&self, pods: &Pods<'_>, port: &Value) -> bool {
        let relay = pods.annotations.get(references::RELAY);
        let relay = relay.and_then(|name| self.set.find("Relay", pods.manifest.namespace(), name));
        let listen = relay.and_then(|relay| at(&relay.value, "spec.admin.listen").as_str());
        let listened = listen.and_then(|listen| listen.rsplit_once(':')?.1.parse().ok());
        listened.is_some_and(|listened: i64| port.as_i64() == Some(listened))
    }

    fn network_policy(&mut self) {
        self.selector("spec.podSelector");
        let pods = self
            .set
            .selected(self.manifest.namespace(), self.value("spec.podSelector.matchLabels"));
        for (index, rule) in self.items("spec.ingress") {
            for port in rule["ports"].as_array().into_iter().flatten() {
                // A number may be the port of a container that is still to be injected.
                let named = port["port"].is_string();
                if named && !pods.iter().any(|pods| pods.has_port(&port["port"])) {
                    let message = format!(
                        "no container of the selected pods has port {}",
                        text(&port["port"])
                    );
                    self.wrong(format!("spec.ingress[{index}].ports"), message);
                }
            }
        }
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            for (index, rule) in self.items(&format!("spec.{direction}")) {
                for peer in rule[peers].as_array().into_iter().flatten() {
                    self.own_peer(&format!("spec.{direction}[{index}].{peers}"), peer);
                }
            }
        }
    }

    /// Pods of the same release, which must exist; those of others are not known
    /// here.
    fn own_peer(&mut self, path: &str, peer: &Value) {
        const INSTANCE: &str = "app.kubernetes.io/instance";
        let labels = &peer["podSelector"]["matchLabels"];
        let own = labels[INSTANCE].is_string()
            && labels[INSTANCE] == self.value("spec.podSelector.matchLabels")[INSTANCE];
        if own && self.set.selected(self.manifest.namespace(), labels).is_empty() {
            self.wrong(path, format!("selects no pods: {labels}"));
        }
    }

    fn autoscaler(&mut self) {
        let target = self.value("spec.scaleTargetRef");
        let (kind, name) = (text(&target["kind"]), text(&target["name"]));
        let Some(workload) = self.set.find(&kind, self.manifest.namespace(), &name) else {
            self.exists("spec.scaleTargetRef", &kind, &target["name"]);
            return;
        };
        if !workload.value["spec"]["replicas"].is_null() {
            let message =
                format!("{kind}/{name} sets replicas too, and each upgrade would undo the scaling");
            self.wrong("spec.scaleTargetRef", message);
        }
        for (index, metric) in self.items("spec.metrics") {
            let container = &metric["containerResource"]["container"];
            let containers = &workload.value["spec"]["template"]["spec"]["containers"];
            let mut all = containers.as_array().into_iter().flatten();
            if container.is_string() && !all.any(|candidate| candidate["name"] == *container) {
                let message = format!("{kind}/{name} has no container {}", text(container));
                self.wrong(format!("spec.metrics[{index}]"), message);
            }
        }
    }

    fn monitor(&mut self, endpoints: &str) {
        let labels = self.value("spec.selector.matchLabels");
        let namespace = self.manifest.namespace();
        let services: Vec<_> = self
            .set
            .manifests()
            .iter()
            .filter(|object| object.kind() == "Service" && object.namespace() == namespace)
            .filter(|service| {
                let own = &service.value["metadata"]["labels"];
                labels.as_object().into_iter().flatten().all(|(name, value)| own[name] == *value)
            })
            .collect();
        let pods = self.set.selected(namespace, labels);
        for (index, endpoint) in self.items(endpoints) {
            let port = &endpoint["port"];
            let found = if self.manifest.kind() == "PodMonitor" {
                pods.iter().any(|pods| pods.has_port(port))
            } else {
                services.iter().any(|service| has_port(service, port))
            };
            if !found {
                let message = format!("nothing that is selected has port {}", text(port));
                self.wrong(format!("{endpoints}[{index}].port"), message);
            }
        }
    }

    fn ingress(&mut self) {
        for (rule, value) in self.items("spec.rules") {
            for path in value["http"]["paths"].as_array().into_iter().flatten() {
                let service = &path["backend"]["service"];
                let port = &service["port"];
                let port = if port["name"].is_null() { &port["number"] } else { &port["name"] };
                self.backend(&format!("spec.rules[{rule}]"), &service["name"], port);
            }
        }
    }

    fn route(&mut self) {
        for (rule, value) in self.items("spec.rules") {
            for backend in value["backendRefs"].as_array().into_iter().flatten() {
                self.backend(&format!("spec.rules[{rule}]"), &backend["name"], &backend["port"]);
            }
        }
    }

    fn backend(&mut self, path: &str, name: &Value, port: &Value) {
        let service = self.set.find("Service", self.manifest.namespace(), &text(name));
        match service {
            None => self.exists(path, "Service", name),
            Some(service) if !has_port(service, port) => {
                self.wrong(path, format!("Service/{} has no port {}", text(name), text(port)));
            }
            Some(_) => {}
        }
    }

    fn webhooks(&mut self) {
        for (index, webhook) in self.items("webhooks") {
            let service = &webhook["clientConfig"]["service"];
            let found =
                self.set.find("Service", &text(&service["namespace"]), &text(&service["name"]));
            let path = format!("webhooks[{index}].clientConfig.service");
            match found {
                None => self.wrong(path, format!("there is no Service/{}", text(&service["name"]))),
                Some(found) if !has_port(found, &service["port"]) => {
                    self.wrong(path, format!("it has no port {}", text(&service["port"])));
                }
                Some(_) => {}
            }
        }
    }

    fn binding(&mut self) {
        let role = self.value("roleRef");
        self.exists("roleRef", &text(&role["kind"]), &role["name"]);
        for (index, subject) in self.items("subjects") {
            let (namespace, name) = (text(&subject["namespace"]), text(&subject["name"]));
            if subject["kind"] == "ServiceAccount"
                && !self.set.exists("ServiceAccount", &namespace, &name)
            {
                let message = format!("there is no ServiceAccount/{name} in {namespace}");
                self.wrong(format!("subjects[{index}]"), message);
            }
        }
    }
}

fn has_port(service: &Manifest, port: &Value) -> bool {
    let ports = service.value["spec"]["ports"].as_array();
    ports
        .into_iter()
        .flatten()
        .any(|candidate| candidate["name"] == *port || candidate["port"] == *port)
}

/// A text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
