# shellcheck shell=bash
# The images that the cluster runs. Sourced by kind.sh.

# Of the project, as scripts/images.sh makes them.
readonly own_images=(outbox-sidecar:dev outbox-operator:dev shop-orders:dev shop-payments:dev
    shop-gateway:dev shop-ui:dev)
# Of others: those of k8s/, of the shop's bundled servers, and of `helm test`.
readonly foreign_images=(postgres:17 apache/kafka:4.1.0 traefik:v3.6.12 prom/prometheus:v3.8.1
    busybox:stable)

pull_images() {
    local image missing=()
    for image in "${foreign_images[@]}"; do
        docker image inspect "$image" >/dev/null 2>&1 || missing+=("$image")
    done
    for image in ${missing[@]+"${missing[@]}"}; do
        step "pull $image" docker pull --quiet "$image"
    done
}

image_id() {
    docker image inspect --format '{{.Id}}' "$1" 2>/dev/null ||
        fail "image $1 is missing: \`make images\` builds it"
}

# The id under which an image was loaded is kept in the node: ids that containerd
# knows are not the engine's, where that keeps its images in containerd too.
readonly loaded=/var/lib/loaded-images

load_images() {
    local image id known=() wanted=()
    for image in "${own_images[@]}" "${foreign_images[@]}" ${EXTRA_IMAGES:-}; do
        id=$(image_id "$image")
        known+=("$image" "$id")
    done
    # shellcheck disable=SC2016 # the node's shell reads these
    mapfile -t wanted < <(docker exec "$node" sh -c '
        while [ $# -gt 0 ]; do
            file=$0/$(echo "$1" | tr /: __)
            if [ "$(cat "$file" 2>/dev/null)" != "$2" ] || ! crictl inspecti "$1" >/dev/null 2>&1; then
                echo "$1"
            fi
            shift 2
        done' "$loaded" "${known[@]}")
    if ((${#wanted[@]} == 0)); then
        note "all are there"
        return
    fi
    note "loading ${wanted[*]}"
    kind load docker-image --name "$cluster" "${wanted[@]}" 2>&1 | { grep -iE 'error|fail' >&2 || true; }
    for image in "${wanted[@]}"; do
        # shellcheck disable=SC2016 # the node's shell reads these
        docker exec "$node" sh -c 'mkdir -p "$0" && echo "$2" >"$0/$(echo "$1" | tr /: __)"' \
            "$loaded" "$image" "$(image_id "$image")"
    done
}
