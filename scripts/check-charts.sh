#!/usr/bin/env bash
# Checks the Helm charts without a cluster: renders them with every values file,
# checks what comes out, and that bad values are refused with a reason.
# Programs: helm, and manifest-check and outbox-operator from MANIFEST_CHECK_BIN and
# OUTBOX_OPERATOR_BIN (target/debug). helm-docs from .dev/tools/bin or the PATH, if it is there.
#
# In charts/*/ci each file is one set of values that must render, as are values*.yaml. Comments in it:
#   # external: Kind/name …     objects that exist beside the chart's
#   # allow: RULE:Kind/name …   exceptions from the policy
# In charts/*/ci-refused each must be refused:
#   # expect: TEXT              with this in the message
#   # kube-version: V           by this version of Kubernetes
#   # api-versions: A …         by a cluster that has these
set -euo pipefail

cd "$(dirname "$0")/.."

manifest_check=${MANIFEST_CHECK_BIN:-target/debug/manifest-check}
outbox_operator=${OUTBOX_OPERATOR_BIN:-target/debug/outbox-operator}
crd=k8s/crd/relays.outbox-sidecar.dev.yaml
kube_version=1.33.0
export PATH=$PWD/.dev/tools/bin:$PATH

for program in helm "$manifest_check" "$outbox_operator"; do
    if ! command -v "$program" > /dev/null; then
        echo "error: $program is not there; build it with cargo, or install helm" >&2
        exit 1
    fi
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failures=0
checks=0

# fail MESSAGE
fail() {
    failures=$((failures + 1))
    printf 'error: %s\n' "$1" >&2
}

# attempt WHAT COMMAND…: runs the command; prints its output only if it fails.
attempt() {
    local what=$1 output
    shift
    checks=$((checks + 1))
    output=$("$@" 2>&1) || fail "$what"$'\n'"$output"
}

# note FILE KEY: the words of the comments `# KEY: …`.
note() {
    sed -n "s/^# $2: //p" "$1"
}

# release CHART: its name and namespace, as the documentation installs it.
release() {
    case $1 in
        */outbox-operator) echo outbox-operator --namespace outbox-sidecar-system ;;
        *) echo shop --namespace shop ;;
    esac
}

# choices CHART VALUES: without a values file, what the chart has no default for, in `chosen`.
choices() {
    chosen=()
    if [[ -z $2 && $1 == */orders-payments ]]; then
        chosen=(--set gateway.auth.mode=demo --set gateway.replicas=1)
    fi
}

# render CHART VALUES [OPTION…]: an empty VALUES renders the defaults.
render() {
    local chart=$1 values=$2 name
    shift 2
    read -ra name <<< "$(release "$chart")"
    local chosen
    choices "$chart" "$values"
    helm template "${name[@]}" "$chart" --kube-version "$kube_version" ${values:+--values "$values"} "${chosen[@]}" "$@"
}

# check_rendering CHART VALUES OUTPUT [OPTION…]
check_rendering() {
    local chart=$1 values=$2 output=$3 options=() word chosen
    shift 3
    choices "$chart" "$values"
    attempt "helm lint $chart $values $*" \
        helm lint --strict --quiet "$chart" --kube-version "$kube_version" ${values:+--values "$values"} "${chosen[@]}" "$@"
    if ! render "$chart" "$values" "$@" > "$output" 2> "$scratch/stderr"; then
        fail "helm template $chart $values $*: $(cat "$scratch/stderr")"
        return
    fi
    if [[ -n $values ]]; then
        for word in $(note "$values" external); do options+=(--external "$word"); done
        for word in $(note "$values" allow); do options+=(--allow "$word"); done
    fi
    attempt "manifest-check of $chart $values $*" \
        "$manifest_check" check "$output" --crd "$crd" "${options[@]}"
}

# check_refusal CHART VALUES
check_refusal() {
    local chart=$1 values=$2 expected output options=() word name version
    read -ra name <<< "$(release "$chart")"
    expected=$(note "$values" expect)
    version=$(note "$values" kube-version)
    for word in $(note "$values" api-versions); do options+=(--api-versions "$word"); done
    checks=$((checks + 1))
    if output=$(helm template "${name[@]}" "$chart" --kube-version "${version:-$kube_version}" \
        --values "$values" "${options[@]}" 2>&1); then
        fail "$values renders, but should be refused with: $expected"
    elif [[ -z $expected || $output != *"$expected"* ]]; then
        fail "$values is refused, but not with: $expected"$'\n'"$output"
    fi
}

# check_injection VALUES RENDERING: the pods that the operator makes of a rendering meet the
# policy, and have the sidecar that static mode renders.
check_injection() {
    local values=$1 rendering=$2
    local static=$scratch/static.yaml injected=$scratch/injected.yaml
    # The same image in both.
    local image=(--set sidecar.image.tag=0.0.0 --set sidecar.image.registry= --set image.registry=)
    render charts/orders-payments "$values" --show-only templates/sidecar/relays.yaml > "$scratch/relays.yaml"
    render charts/orders-payments "$values" --set sidecar.mode=static "${image[@]}" > "$static"
    attempt "outbox-operator inject with ${values:-the defaults}" \
        to_file "$injected" "$outbox_operator" inject --relay "$scratch/relays.yaml" \
        --image outbox-sidecar:0.0.0 --image-pull-policy IfNotPresent "$rendering"
    attempt "policy of injected pods with ${values:-the defaults}" \
        "$manifest_check" check "$injected" --crd "$crd" --only schema,policy
    attempt "static and injected sidecars with ${values:-the defaults}" \
        "$manifest_check" compare-sidecars "$static" "$injected"
}

# to_file FILE COMMAND…
to_file() {
    local file=$1
    shift
    "$@" > "$file"
}

for chart in charts/*/; do
    chart=${chart%/}
    for values in "" "$chart"/values-*.yaml "$chart"/ci/*.yaml; do
        check_rendering "$chart" "$values" "$scratch/rendering.yaml"
        if [[ $chart == */orders-payments ]] && grep -q '^kind: Relay$' "$scratch/rendering.yaml"; then
            check_injection "$values" "$scratch/rendering.yaml"
        fi
    done
    for values in "$chart"/ci-refused/*.yaml; do
        check_refusal "$chart" "$values"
    done
done

# One source of what two charts have.
own=charts/outbox-operator/files
attempt "$own has another CRD than $crd: copy it" cmp "$crd" "$own/${crd##*/}"
for file in alerts/sidecar.yaml dashboards/outbox-sidecar.json; do
    attempt "$file of the charts differ: copy that of outbox-operator" \
        cmp "$own/$file" "charts/orders-payments/files/$file"
done

# Each alert has a runbook, and each runbook an alert.
alerts=$(sed -n 's/^ *- alert: //p' charts/*/files/alerts/*.yaml | sort -u)
runbooks=$(find docs/runbooks -name '*.md' ! -name README.md -exec basename {} .md \; | sort)
attempt "alerts and docs/runbooks differ" diff <(echo "$alerts") <(echo "$runbooks")

# Metrics of alerts and dashboards are documented.
while read -r metric; do
    attempt "metric $metric is used by a chart, but not in docs/metrics.md" \
        grep -qF "\`${metric%_bucket}\`" docs/metrics.md
done < <(grep -ohE '\b(outbox_sidecar|outbox_operator|http_request|database_pool|inbox_events)[a-z_]*' \
    charts/*/files/alerts/* charts/*/files/dashboards/* | grep -v '^outbox_sidecar$' | sort -u)

if command -v helm-docs > /dev/null; then
    cp -R charts "$scratch/charts"
    attempt "helm-docs" helm-docs --log-level error --chart-search-root "$scratch/charts"
    for chart in charts/*/; do
        attempt "${chart}README.md is not what helm-docs makes: run helm-docs" \
            diff -u "${chart}README.md" "$scratch/${chart}README.md"
    done
else
    echo "helm-docs is not installed: the charts' README.md are not compared" >&2
fi

if ((failures > 0)); then
    printf '%d of %d checks of the charts failed\n' "$failures" "$checks" >&2
    exit 1
fi
printf 'all %d checks of the charts passed\n' "$checks"
