//! The Pod Security level `restricted`, as the pod security standards define it.

use k8s_openapi::api::core::v1::{Container, PodSpec, SeccompProfile, Volume};

/// What is wrong with the pod as a whole: path below the pod, message.
pub(super) fn pod_problems(spec: &PodSpec) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let host = [
        ("hostNetwork", spec.host_network),
        ("hostPID", spec.host_pid),
        ("hostIPC", spec.host_ipc),
    ];
    for (field, _) in host.into_iter().filter(|(_, on)| *on == Some(true)) {
        problems.push((format!("spec.{field}"), "must not be true".to_owned()));
    }
    for volume in spec.volumes.iter().flatten().filter(|volume| !allowed(volume)) {
        problems.push((
            format!("spec.volumes[{}]", volume.name),
            "restricted allows configMap, csi, downwardAPI, emptyDir, ephemeral, \
             persistentVolumeClaim, projected and secret only"
                .to_owned(),
        ));
    }
    let security = spec.security_context.as_ref();
    if security.and_then(|security| security.sysctls.as_ref()).is_some_and(|all| !all.is_empty()) {
        problems.push(("spec.securityContext.sysctls".to_owned(), "must not be set".to_owned()));
    }
    problems
}

fn allowed(volume: &Volume) -> bool {
    volume.config_map.is_some()
        || volume.csi.is_some()
        || volume.downward_api.is_some()
        || volume.empty_dir.is_some()
        || volume.ephemeral.is_some()
        || volume.persistent_volume_claim.is_some()
        || volume.projected.is_some()
        || volume.secret.is_some()
}

/// What is wrong with a container, which inherits from its pod: path below the
/// container, message.
pub(super) fn container_problems(
    spec: &PodSpec,
    container: &Container,
) -> Vec<(&'static str, String)> {
    let mut problems = Vec::new();
    let mut wrong = |path, message: &str| problems.push((path, message.to_owned()));
    let pod = spec.security_context.as_ref();
    let own = container.security_context.as_ref();

    if own.and_then(|own| own.privileged) == Some(true) {
        wrong("securityContext.privileged", "must not be true");
    }
    if own.and_then(|own| own.allow_privilege_escalation) != Some(false) {
        wrong("securityContext.allowPrivilegeEscalation", "must be false");
    }
    let capabilities = own.and_then(|own| own.capabilities.as_ref());
    let dropped = capabilities.and_then(|all| all.drop.as_ref());
    if !dropped.is_some_and(|dropped| dropped.iter().any(|name| name == "ALL")) {
        wrong("securityContext.capabilities.drop", "must have ALL");
    }
    let mut added = capabilities.and_then(|all| all.add.as_ref()).into_iter().flatten();
    if added.any(|name| name != "NET_BIND_SERVICE") {
        wrong("securityContext.capabilities.add", "may have NET_BIND_SERVICE only");
    }
    let non_root = own.and_then(|own| own.run_as_non_root).or(pod.and_then(|p| p.run_as_non_root));
    if non_root != Some(true) {
        wrong("securityContext.runAsNonRoot", "must be true, here or for the pod");
    }
    if user(spec, container) == Some(0) {
        wrong("securityContext.runAsUser", "must not be 0");
    }
    let profile = own
        .and_then(|own| own.seccomp_profile.as_ref())
        .or(pod.and_then(|pod| pod.seccomp_profile.as_ref()));
    let confined =
        |profile: &SeccompProfile| matches!(&*profile.type_, "RuntimeDefault" | "Localhost");
    if !profile.is_some_and(confined) {
        wrong(
            "securityContext.seccompProfile",
            "must be RuntimeDefault or Localhost, here or for the pod",
        );
    }
    if own.and_then(|own| own.proc_mount.as_deref()).is_some_and(|mount| mount != "Default") {
        wrong("securityContext.procMount", "must be Default");
    }
    let armor = own
        .and_then(|own| own.app_armor_profile.as_ref())
        .or(pod.and_then(|pod| pod.app_armor_profile.as_ref()));
    if armor.is_some_and(|armor| armor.type_ == "Unconfined") {
        wrong("securityContext.appArmorProfile", "must not be Unconfined");
    }
    if container.ports.iter().flatten().any(|port| port.host_port.is_some_and(|port| port != 0)) {
        wrong("ports", "must not have a hostPort");
    }
    problems
}

/// The user that a container runs as; absent if the image says it.
pub(super) fn user(spec: &PodSpec, container: &Container) -> Option<i64> {
    let own = container.security_context.as_ref().and_then(|own| own.run_as_user);
    own.or(spec.security_context.as_ref().and_then(|pod| pod.run_as_user))
}
