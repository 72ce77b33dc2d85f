#!/usr/bin/env bash
# Tests the whole system on a kind cluster.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=scripts/progress.sh
source scripts/progress.sh
# shellcheck source=scripts/kind/cluster.sh
source scripts/kind/cluster.sh

usage() {
    cat <<'END'
usage: scripts/e2e.sh [TEST...]

Builds everything, brings it up on a kind cluster, and runs the tests of tests/kind, or those whose
names contain a TEST. Deletes the cluster afterwards if it was not there before.

  KEEP=1             leave the cluster there
  KIND_CLUSTER=NAME  name of the cluster (default: outbox)
END
}

case ${1:-} in
-h | --help)
    usage
    exit
    ;;
esac

check_tools
if ! cluster_exists && [[ -z ${KEEP:-} ]]; then
    # Also when a test fails: it has printed what there is to see.
    trap 'scripts/kind.sh down' EXIT
fi

step "build programs and tests" cargo build --locked --workspace --bins --tests --features kind-tests/kind
step "build the web interface" make --no-print-directory ui
step "example image" scripts/images.sh python-notes
BINARIES=target/debug EXTRA_IMAGES=python-notes:dev scripts/kind.sh up
KIND_HTTP_PORT=$(ingress_port)
export KIND_HTTP_PORT
# Most of a test is waiting for pods.
step "test" env RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" \
    cargo test --locked --workspace --features kind-tests/kind --test kind -- "$@"
