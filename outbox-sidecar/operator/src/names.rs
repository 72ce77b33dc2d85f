//! Names that users, charts and the operator agree on.

/// The API group, also the prefix of annotations and labels.
pub const GROUP: &str = "outbox-sidecar.dev";

/// The version of the API.
pub const VERSION: &str = "v1alpha1";

/// The kind of the custom resource.
pub const KIND: &str = "Relay";

/// Its plural, as in URLs.
pub const PLURAL: &str = "relays";

/// On a pod template: the annotation that asks for a sidecar of the named
/// `Relay`. On an injected pod: a label of the same name and value.
pub const RELAY: &str = "outbox-sidecar.dev/relay";

/// The annotation on an injected pod: what it was injected with.
pub const INJECTED: &str = "outbox-sidecar.dev/injected";

/// Everything the operator makes carries this label.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The value of [`MANAGED_BY`], and how the operator names itself in Events.
pub const OPERATOR: &str = "outbox-operator";

/// The owner of the fields the controller applies.
pub const FIELD_MANAGER: &str = "outbox-operator/relay";

/// The sidecar's container, and the volume with its files.
pub const SIDECAR: &str = "outbox-sidecar";

/// The name of the sidecar's port.
pub const PORT: &str = "outbox-admin";

/// The key of the sidecar's configuration in the `ConfigMap`.
pub const CONFIG_KEY: &str = "config.yaml";

/// The key of the last valid `spec` in the `ConfigMap`.
pub const SPEC_KEY: &str = "relay.json";

/// Relay names become values of a label.
pub const LONGEST_RELAY_NAME: usize = 63;

/// The `ConfigMap` of a relay.
pub fn config_map(relay: &str) -> String {
    format!("{relay}-outbox-sidecar")
}

/// The `PodMonitor` of a relay.
pub fn pod_monitor(relay: &str) -> String {
    format!("{relay}-outbox-sidecar")
}

/// Whether a relay can have this name.
pub fn is_relay_name(name: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=LONGEST_RELAY_NAME).contains(&name.len())
        && name.bytes().all(|byte| alphanumeric(byte) || byte == b'-' || byte == b'.')
        && name.split('.').all(|label| {
            label.bytes().next().is_some_and(alphanumeric)
                && label.bytes().last().is_some_and(alphanumeric)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relay_names_are_what_kubernetes_takes_for_a_name_and_a_label() {
        for good in ["a", "shop-orders", "shop.orders-2", &"a".repeat(63)] {
            assert!(is_relay_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a..b", "A", "a_b", "a/b", &"a".repeat(64)] {
            assert!(!is_relay_name(bad), "{bad}");
        }
    }
}
