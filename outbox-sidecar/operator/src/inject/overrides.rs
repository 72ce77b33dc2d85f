//! What a pod's annotations change about its sidecar.

use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use super::{Defaults, quantity};

/// The annotations, all under `outbox-sidecar.dev/`.
const IMAGE: &str = "outbox-sidecar.dev/image";
const LOG: &str = "outbox-sidecar.dev/log";
const LOG_FORMAT: &str = "outbox-sidecar.dev/log-format";

/// What the annotations say, as far as it can be followed.
pub(super) struct Overrides {
    pub(super) image: Option<String>,
    pub(super) log: Option<String>,
    pub(super) log_format: Option<String>,
    /// The defaults with the annotations applied.
    pub(super) resources: Value,
    /// What could not be followed, and is ignored: a pod is never refused.
    pub(super) warnings: Vec<String>,
}

impl Overrides {
    pub(super) fn read(annotations: &Value, defaults: &Defaults) -> Self {
        let mut reader = Reader { annotations, warnings: Vec::new() };
        let image = reader.read(IMAGE, "the name of an image", is_image);
        let log = reader.read(LOG, "a log filter such as info,outbox_sidecar=debug", |text| {
            EnvFilter::builder().parse(text).is_ok()
        });
        let log_format =
            reader.read(LOG_FORMAT, "json or text", |text| matches!(text, "json" | "text"));
        let mut resources = defaults.resources.clone();
        for name in ["cpu", "memory"] {
            reader.resource(name, &mut resources);
        }
        Self { image, log, log_format, resources, warnings: reader.warnings }
    }
}

struct Reader<'a> {
    annotations: &'a Value,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self, name: &str, expected: &str, valid: impl Fn(&str) -> bool) -> Option<String> {
        let value = self.annotations.get(name)?;
        match value.as_str() {
            Some(text) if valid(text) => Some(text.to_owned()),
            _ => {
                self.warnings
                    .push(format!("annotation {name}: {value} is not {expected}; ignored"));
                None
            }
        }
    }

    /// Applies `<name>-request` and `<name>-limit`. The API server refuses a pod
    /// whose request is above the limit, so a default gives way to the
    /// annotation, and two annotations that contradict each other are ignored.
    fn resource(&mut self, name: &str, resources: &mut Value) {
        let quantity = |text: &str| quantity::parse(text).is_some();
        let mut read = |which: &str| {
            let annotation = format!("outbox-sidecar.dev/{name}-{which}");
            self.read(&annotation, "a quantity such as 100m or 128Mi", quantity)
        };
        let (request, limit) = (read("request"), read("limit"));
        let exceeds =
            |request: &str, limit: &str| quantity::parse(request) > quantity::parse(limit);
        if let (Some(request), Some(limit)) = (&request, &limit)
            && exceeds(request, limit)
        {
            self.warnings.push(format!(
                "annotations outbox-sidecar.dev/{name}-request and -limit: {request} is more than {limit}; both ignored"
            ));
            return;
        }
        let default = |list: &str| resources[list][name].as_str().map(str::to_owned);
        let (mut new_request, mut new_limit) = (None, None);
        if let Some(request) = request {
            if default("limits").is_some_and(|limit| exceeds(&request, &limit)) && limit.is_none() {
                new_limit = Some(request.clone());
            }
            new_request = Some(request);
        }
        if let Some(limit) = limit {
            if default("requests").is_some_and(|request| exceeds(&request, &limit))
                && new_request.is_none()
            {
                new_request = Some(limit.clone());
            }
            new_limit = Some(limit);
        }
        for (list, value) in [("requests", new_request), ("limits", new_limit)] {
            if let Some(value) = value {
                set(resources, list, name, value);
            }
        }
    }
}

fn set(resources: &mut Value, list: &str, name: &str, value: String) {
    if !resources.is_object() {
        *resources = json!({});
    }
    if !resources[list].is_object() {
        resources[list] = json!({});
    }
    resources[list][name] = json!(value);
}

/// Whether a kubelet can make sense of it; whether it exists shows later.
fn is_image(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
    !text.is_empty()
        && text.len() <= 512
        && text.bytes().all(allowed)
        && text.as_bytes()[0].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: Value) -> Overrides {
        let resources = json!({
            "requests": { "cpu": "20m", "memory": "32Mi" },
            "limits": { "memory": "128Mi" },
        });
        let defaults = Defaults { image: "sidecar:1".into(), image_pull_policy: None, resources };
        Overrides::read(&annotations, &defaults)
    }

    #[test]
    fn a_default_gives_way_to_an_annotation_that_it_contradicts() {
        let more = read(json!({ "outbox-sidecar.dev/memory-request": "1Gi" }));
        assert_eq!(more.resources["requests"]["memory"], "1Gi");
        assert_eq!(more.resources["limits"]["memory"], "1Gi");
        let less = read(json!({ "outbox-sidecar.dev/memory-limit": "16Mi" }));
        assert_eq!(less.resources["requests"]["memory"], "16Mi");
        assert_eq!(less.resources["limits"]["memory"], "16Mi");
        let new = read(json!({ "outbox-sidecar.dev/cpu-limit": "1" }));
        assert_eq!(new.resources["requests"]["cpu"], "20m");
        assert_eq!(new.resources["limits"]["cpu"], "1");
    }

    #[test]
    fn annotations_that_contradict_each_other_are_ignored_with_a_warning() {
        let both = read(json!({
            "outbox-sidecar.dev/memory-request": "1Gi",
            "outbox-sidecar.dev/memory-limit": "1Mi",
        }));
        assert_eq!(both.resources["limits"]["memory"], "128Mi");
        assert_eq!(both.warnings.len(), 1, "{:?}", both.warnings);
    }

    #[test]
    fn what_would_keep_a_sidecar_from_starting_is_ignored_with_a_warning() {
        for (name, bad) in [
            ("image", "no such image!"),
            ("image", ""),
            ("log", "info=debug=trace"),
            ("log-format", "xml"),
            ("cpu-request", "fast"),
            ("memory-limit", "-1Mi"),
        ] {
            let read = read(json!({ format!("outbox-sidecar.dev/{name}"): bad }));
            assert_eq!(read.warnings.len(), 1, "{name}");
            assert!(read.warnings[0].contains(name) && read.warnings[0].ends_with("; ignored"));
            assert!(read.image.is_none() && read.log.is_none() && read.log_format.is_none());
        }
    }
}
