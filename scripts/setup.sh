#!/usr/bin/env bash
# Installs what is missing on a Debian machine, saying what and why; does nothing, quickly, when
# everything is there. Asks nothing; uses sudo only when not root.
#
#   setup.sh run      what building, running and testing need
#   setup.sh lint     the same, and what checking needs
#   setup.sh browser  the same as `run`, and the browser's tests' browser
set -euo pipefail

cd "$(dirname "$0")/.."

readonly purpose=${1:-run}
readonly cargo_deny_version=0.20.2
readonly helm_version=3.19.0
readonly helm_docs_version=1.14.2

say() {
    if [[ -t 2 ]]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi
}

fail() {
    say "$*"
    exit 1
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo --preserve-env=DEBIAN_FRONTEND "$@"
    else
        fail "not root, and sudo is missing; run as root: $*"
    fi
}

# A Debian package for each program that is not there.
packages=()
need() {
    local program=$1 package=$2
    command -v "$program" >/dev/null || packages+=("$package")
}

find_packages() {
    # The C libraries inside the Rust crates (librdkafka, OpenSSL, zstd).
    need gcc gcc
    need g++ g++
    need make make
    need perl perl
    need pkg-config pkg-config
    # Starts child processes that die with their parent.
    need setpriv util-linux
    # Runs Kafka, and fetches it.
    need java openjdk-17-jre-headless
    need mvn maven
    [[ -n ${PG_BIN_DIR:-} ]] || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
        packages+=(postgresql)
    # Tests go through it. Debian puts it where not everybody's PATH leads.
    [[ -x /usr/sbin/pgbouncer ]] || need pgbouncer pgbouncer
    if [[ $purpose == lint ]]; then
        need shellcheck shellcheck
    fi
    if [[ $purpose == browser ]]; then
        [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || packages+=(chromium)
    fi
}

install_packages() {
    find_packages
    [[ ${#packages[@]} -gt 0 ]] || return 0
    command -v apt-get >/dev/null ||
        fail "install what provides these Debian packages: ${packages[*]}"
    say "installing Debian packages: ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    if [[ " ${packages[*]} " == *" postgresql "* ]]; then
        # Only the programs are wanted: without this Debian makes and starts a cluster on 5432.
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        as_root tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf \
            >/dev/null <<<'create_main_cluster = false'
    fi
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
    # Again only the program is wanted, no service on 6432.
    if [[ " ${packages[*]} " == *" pgbouncer "* && -d /run/systemd/system ]]; then
        as_root systemctl disable --quiet --now pgbouncer
    fi
}

check_rust() {
    command -v cargo >/dev/null ||
        fail "Rust is missing: install rustup from https://rustup.rs, then open a new terminal"
}

check_node() {
    local version
    version=$(node --version 2>/dev/null) || fail "Node.js is missing: install version 20.19 or newer from https://nodejs.org"
    version=${version#v}
    [[ $(printf '%s\n' 20.19.0 "$version" | sort -V | head -n 1) == 20.19.0 ]] ||
        fail "Node.js $version is too old: install version 20.19 or newer from https://nodejs.org"
}

check_java() {
    local major
    major=$(java -version 2>&1 | sed -nE 's/.* version "([0-9]+).*/\1/p')
    [[ ${major:-0} -ge 17 ]] || fail "Kafka needs Java 17 or newer, and \`java\` is version ${major:-unknown}"
}

fetch_kafka() {
    tests/support/kafka/fetch-jars.sh "${LOCAL_STACK_CACHE:-.dev/cache}/kafka-4.1.0/libs"
}

install_ui_packages() {
    [[ -e ui/node_modules/.package-lock.json &&
        ! ui/package-lock.json -nt ui/node_modules/.package-lock.json ]] && return 0
    say "installing the web interface's packages"
    make --no-print-directory ui/node_modules/.package-lock.json
}

install_cargo_deny() {
    local root=.dev/tools
    [[ $("$root/bin/cargo-deny" --version 2>/dev/null) == *" $cargo_deny_version" ]] && return 0
    say "building cargo-deny $cargo_deny_version into $root (a few minutes, once)"
    # Not optimised: it runs for a second, and is built in one instead of five minutes.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --root "$root" "cargo-deny@$cargo_deny_version"
}

# The charts' tools are Go programs without Debian packages.
install_go_program() {
    local program=$1 module=$2 version=$3
    [[ -x .dev/tools/bin/$program && -e .dev/tools/.$program-$version ]] && return 0
    command -v go >/dev/null ||
        fail "$program is missing: install it (https://$module), or Go (https://go.dev/dl), with which this script does"
    say "building $program $version into .dev/tools (a minute, once)"
    GOBIN=$PWD/.dev/tools/bin go install "$module@v$version"
    touch ".dev/tools/.$program-$version"
}

install_chart_tools() {
    command -v helm >/dev/null || install_go_program helm helm.sh/helm/v3/cmd/helm "$helm_version"
    # Always of this version: others write other READMEs.
    install_go_program helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs "$helm_docs_version"
}

install_packages
check_rust
check_node
check_java
install_ui_packages
if [[ $purpose == lint ]]; then
    install_cargo_deny
    install_chart_tools
else
    fetch_kafka
fi
