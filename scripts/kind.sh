#!/usr/bin/env bash
# The whole system on a kind cluster on this machine.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=scripts/progress.sh
source scripts/progress.sh
# shellcheck source=scripts/kind/cluster.sh
source scripts/kind/cluster.sh
# shellcheck source=scripts/kind/images.sh
source scripts/kind/images.sh
# shellcheck source=scripts/kind/pods.sh
source scripts/kind/pods.sh
# shellcheck source=scripts/kind/releases.sh
source scripts/kind/releases.sh
# shellcheck source=scripts/kind/smoke.sh
source scripts/kind/smoke.sh

usage() {
    cat <<'END'
usage: scripts/kind.sh COMMAND

  up     makes the cluster if it is not there, builds and loads the images, and installs the ingress
         controller, Prometheus, the operator and the shop; what is there already and current stays
  load   loads into the cluster those images that it does not have
  smoke  sends two orders through the ingress, and looks at relays and Prometheus
  down   deletes the cluster, with all its data

Needs docker, kind, helm and kubectl, and curl for `smoke`. Only ever talks to the cluster's own
kubectl context, whatever the current one is.

  BINARIES=DIR          up: take the programs from DIR instead of building them in a container
  KIND_CLUSTER=NAME     name of the cluster (default: outbox)
  KIND_HTTP_PORT=PORT   up: port of this machine for the ingress (default: 80), when 80 is taken;
  KIND_HTTPS_PORT=PORT  likewise for 443
  KIND_NODE_IMAGE=IMAGE up: Kubernetes of another version; needs 1.33 or newer
END
}

up() {
    check_tools
    # Before anything that takes long.
    check_ports
    scripts/images.sh ${BINARIES:+--binaries "$BINARIES"}
    pull_images
    step "cluster $cluster" create_cluster
    step "load images" load_images
    step "ingress controller and Prometheus" install_addons
    step "operator" install_operator
    step "shop" install_shop
    step "relays" await_relays
    step "ingress" await_ingress
    say "everything is ready after $SECONDS s"
    show_addresses
}

case ${1:-} in
up) up ;;
load)
    check_tools
    require_cluster
    pull_images
    step "load images" load_images
    ;;
smoke)
    check_tools
    require_cluster
    smoke
    ;;
down)
    check_tools
    step "delete cluster $cluster" kind delete cluster --name "$cluster"
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
