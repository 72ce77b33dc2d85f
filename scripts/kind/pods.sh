# shellcheck shell=bash
# What pods wait for, and why they fail. Sourced by kind.sh.

# watching NAMESPACE COMMAND... runs the command; while it does, says which pods of the namespace are
# not ready whenever that changes, and what warns. Shows events and logs where it fails.
watching() {
    local namespace=$1 output pid status=0
    shift
    output=$(mktemp)
    "$@" >"$output" 2>&1 &
    pid=$!
    # Commands in the background do not hear Ctrl-C.
    trap 'kill "$pid" 2>/dev/null; wait "$pid" 2>/dev/null; exit 130' INT TERM
    report_progress "$namespace" "$pid"
    wait "$pid" || status=$?
    trap - INT TERM
    if ((status)); then
        cat "$output" >&2
        explain "$namespace"
    fi
    rm -f "$output"
    return "$status"
}

report_progress() {
    local namespace=$1 pid=$2 begun=$SECONDS now last='' warned warnings
    warned=$(warnings "$namespace")
    while kill -0 "$pid" 2>/dev/null; do
        now=$(unready_pods "$namespace" | awk '{ print (NR > 1 ? ", " : "") $1 " " $2 " " $3 }' | tr -d '\n')
        if [[ $now != "$last" ]]; then
            note "$((SECONDS - begun)) s: ${now:+waiting for }${now:-all pods are ready}"
            last=$now
        fi
        warnings=$(warnings "$namespace")
        LC_ALL=C comm -13 <(printf '%s\n' "$warned") <(printf '%s\n' "$warnings") | cut -c -220 | sed 's/^/      /' >&2
        warned=$warnings
        sleep 1
    done
}

# Events that warn, a line each. Not of probes, which fail while a container starts: that it is not
# ready is said anyway.
warnings() {
    kubectl --namespace "$1" get events --field-selector type=Warning,reason!=Unhealthy --no-headers \
        --output custom-columns=OBJECT:.involvedObject.name,REASON:.reason,NOTE:.message 2>/dev/null |
        awk '{ object = $1; reason = $2; $1 = $2 = ""; print object ": " reason ":" substr($0, 2) }' | LC_ALL=C sort -u || true
}

# Lines of `kubectl get pods` of those that are neither ready nor finished.
unready_pods() {
    kubectl --namespace "$1" get pods --no-headers 2>/dev/null |
        awk '{ split($2, ready, "/"); if ($3 != "Completed" && (ready[1] != ready[2] || $3 != "Running")) print }'
}

# Why the pods of a namespace are not ready.
explain() {
    local namespace=$1 pod container
    say "    pods of namespace $namespace:"
    kubectl --namespace "$namespace" get pods >&2
    for pod in $(unready_pods "$namespace" | awk '{ print $1 }'); do
        say "    $pod:"
        kubectl --namespace "$namespace" describe pod "$pod" | sed -n '/^Events:/,$p' | tail -n 8 >&2
        for container in $(unready_containers "$namespace" "$pod"); do
            say "    log of $pod, container $container:"
            # The log of the one that crashed says more than that of the one just started.
            { kubectl --namespace "$namespace" logs "$pod" --container "$container" --tail 15 --previous 2>/dev/null ||
                kubectl --namespace "$namespace" logs "$pod" --container "$container" --tail 15 || true; } |
                cut -c -220 | sed 's/^/      /' >&2
        done
    done
}

unready_containers() {
    local status
    for status in initContainerStatuses containerStatuses; do
        kubectl --namespace "$1" get pod "$2" --output \
            "jsonpath={range .status.${status}[?(@.ready==false)]}{.name}{'\n'}{end}"
    done
}
