# shellcheck shell=bash
# The cluster and the programs that talk to it. Sourced by kind.sh.

readonly cluster=${KIND_CLUSTER:-outbox}
readonly context=kind-$cluster
readonly node=$cluster-control-plane

# Never the current context, which may be anyone's.
kubectl() {
    command kubectl --context "$context" "$@"
}

helm() {
    command helm --kube-context "$context" "$@"
}

# need PROGRAM LOWEST WHERE VERSION_COMMAND... fails unless it is there and new enough.
need() {
    local program=$1 lowest=$2 where=$3 version
    shift 3
    command -v "$program" >/dev/null || fail "$program is missing: install $lowest or newer from $where"
    version=$(command "$@" 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
    [[ -n $version ]] || fail "cannot tell the version of $program: \`$*\` printed none"
    [[ $(printf '%s\n' "$lowest" "$version" | sort -V | head -n 1) == "$lowest" ]] ||
        fail "$program $version is too old: install $lowest or newer from $where"
}

check_tools() {
    command -v docker >/dev/null ||
        fail "docker is missing: install it from https://docs.docker.com/engine/install"
    docker info >/dev/null 2>&1 ||
        fail "no docker engine answers: start it, or see what \`docker info\` says"
    # The first whose default node is Kubernetes 1.33.
    need kind 0.28.0 https://kind.sigs.k8s.io kind version
    need helm 3.14.0 https://helm.sh/docs/intro/install helm version --short
    need kubectl 1.31.0 https://kubernetes.io/docs/tasks/tools kubectl version --client
}

cluster_exists() {
    local clusters
    # Not knowing is not the same as knowing that there is none: e2e.sh deletes what it has made.
    clusters=$(kind get clusters 2>/dev/null) || fail "\`kind get clusters\` fails"
    [[ $'\n'$clusters$'\n' == *$'\n'$cluster$'\n'* ]]
}

require_cluster() {
    cluster_exists || fail "there is no kind cluster \"$cluster\": \`make kind-up\` makes it"
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

readonly http_port=${KIND_HTTP_PORT:-80}
readonly https_port=${KIND_HTTPS_PORT:-443}

check_ports() {
    local port
    if ! cluster_exists; then
        for port in "$http_port" "$https_port"; do
            port_is_free "$port" || fail "port $port is taken on this machine; choose others by KIND_HTTP_PORT and KIND_HTTPS_PORT"
        done
    fi
}

create_cluster() {
    if ! cluster_exists; then
        sed -e "s/hostPort: 80,/hostPort: $http_port,/" -e "s/hostPort: 443,/hostPort: $https_port,/" kind-config.yaml |
            kind create cluster --name "$cluster" --config - --wait 180s \
                ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} 2>&1 | progress_lines
    elif [[ $(docker container inspect --format '{{.State.Running}}' "$node") != true ]]; then
        note "starting $node, which was stopped"
        docker start "$node" >/dev/null
    fi
    # Gone from the kubeconfig, perhaps, or that of another user.
    command kubectl config get-contexts "$context" >/dev/null 2>&1 ||
        kind export kubeconfig --name "$cluster" 2>/dev/null
    await "the cluster's API" 120 kubectl get --raw /readyz --request-timeout 10s
    check_kubernetes
    refuse_strays
}

# The address of a pod that is gone, or of a service that the node has not heard of yet, leads nowhere.
# Without this the node sends what is for it out to this machine's network, where anything may answer.
refuse_strays() {
    local name range services rule
    services=$(kubectl get servicecidr kubernetes --output jsonpath='{.spec.cidrs[0]}')
    # Routes to pods and to other nodes' ranges are more specific.
    kubectl get nodes --output jsonpath='{range .items[*]}{.metadata.name} {.spec.podCIDR}{"\n"}{end}' |
        while read -r name range; do
            [[ -z $range ]] || docker exec "$name" ip route replace unreachable "$range"
            # What is for a known service has the address of a pod by now.
            rule=(FORWARD --destination "$services" --jump REJECT)
            docker exec "$name" iptables --check "${rule[@]}" 2>/dev/null ||
                docker exec "$name" iptables --append "${rule[@]}"
        done
}

# kind draws its progress for a terminal; here each step is a line.
progress_lines() {
    sed -nE 's/^ *✓ *(.*[^ ]) *$/    \1/; s/ [^ -~]+$//; /^    /p; /ERROR|error|failed/p' >&2
}

check_kubernetes() {
    local version
    version=$(kubectl version | sed -nE 's/^Server Version: v([0-9]+\.[0-9]+\.[0-9]+).*/\1/p')
    [[ $(printf '%s\n' 1.33.0 "$version" | sort -V | head -n 1) == 1.33.0 ]] ||
        fail "the cluster runs Kubernetes $version, and sidecars need 1.33 or newer: \`make kind-down\`, then set KIND_NODE_IMAGE"
}

# await WHAT SECONDS COMMAND... waits until the command succeeds, and shows why it did not.
await() {
    local what=$1 deadline=$((SECONDS + $2)) said
    shift 2
    until said=$("$@" 2>&1); do
        ((SECONDS < deadline)) || fail "waited in vain for $what: $said"
        sleep 0.5
    done
}

# The address of this machine that leads to the ingress.
ingress_port() {
    docker port "$node" 80/tcp | sed -n 's/.*://p' | head -n 1
}

# http://HOST, with the port where it is not 80.
ingress_url() {
    local port
    port=$(ingress_port)
    if [[ $port == 80 ]]; then echo "http://$1"; else echo "http://$1:$port"; fi
}

# curl through the ingress, whatever resolver or proxy this machine has: HOST PATH [OPTION...]
through_ingress() {
    local host=$1 path=$2 port
    shift 2
    port=$(ingress_port)
    curl --silent --show-error --noproxy '*' --max-time 20 --resolve "$host:$port:127.0.0.1" \
        "http://$host:$port$path" "$@"
}
