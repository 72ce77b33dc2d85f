# shellcheck shell=bash
# Two orders through the ingress, and who saw them. Sourced by kind.sh.

smoke() {
    command -v curl >/dev/null || fail "curl is missing"
    step "an order is paid, the next one is cancelled" two_orders
    step "relays" await_relays
    step "Prometheus scrapes every part" await_targets
    step "web interface" check_ui
    step "helm test" helm_test
}

helm_test() {
    # Without the notes, which are those of the installation.
    helm --namespace shop test shop --logs | sed '/^NOTES:/,/^POD LOGS:/{/^POD LOGS:/!d}' >&2
}

# Shows a request as a user would type it, and prints the answer: PATH [BODY]. Posts what has a body.
api() {
    local path=$1 body=${2:-} answer
    local options=(--fail-with-body)
    api_token
    options+=(--header "authorization: Bearer $token")
    [[ -z $body ]] || options+=(--header 'content-type: application/json' --data "$body")
    answer=$(through_ingress api.shop.localhost "$path" "${options[@]}") ||
        fail "$path: ${answer:-no answer}"
    # shellcheck disable=SC2016 # quotes of the command shown
    printf '    $ curl -H "Authorization: Bearer $token" %s%s%s\n    %s\n' "$(ingress_url api.shop.localhost)" "$path" \
        "${body:+ -H 'content-type: application/json' -d '$body'}" "$answer" >&2
    printf '%s\n' "$answer"
}

# Signs in as an operator, which values-kind.yaml lets anyone do: sets `token`.
api_token() {
    [[ -n ${token:-} ]] || token=$(through_ingress api.shop.localhost /auth/demo-token --fail-with-body \
        --data '{"operator":true}' | member token)
    [[ -n $token ]] || fail "the gateway gives no token"
}

# A member of a flat JSON object: NAME, from the input.
member() {
    sed -nE "s/.*\"$1\":\"?([^\",}]*)\"?[,}].*/\1/p"
}

two_orders() {
    local user first second
    # Of this second's own: a user has one account.
    user=$(date +%s)
    api /users "{\"user_id\": $user, \"balance\": 1400}" >/dev/null
    first=$(api /orders "{\"user_id\": $user, \"amount\": 1000, \"description\": \"Tea\"}" | member id)
    await_order "$first" FINISHED null
    second=$(api /orders "{\"user_id\": $user, \"amount\": 1000, \"description\": \"More tea\"}" | member id)
    await_order "$second" CANCELLED insufficient_funds
    [[ $(api "/users/$user" | member balance) == 400 ]] || fail "the balance is not 400"
}

await_order() {
    local id=$1 status=$2 reason=$3 order
    await "order $id to be $status" 30 order_has_ended "$id"
    order=$(api "/orders/$id")
    [[ $(member status <<<"$order") == "$status" ]] || fail "order $id is not $status"
    [[ $(member reason <<<"$order") == "$reason" ]] || fail "the reason of order $id is not $reason"
}

order_has_ended() {
    local order
    api_token
    order=$(through_ingress api.shop.localhost "/orders/$1" --fail-with-body \
        --header "authorization: Bearer $token") || return
    echo "$order"
    [[ $(member status <<<"$order") =~ ^(FINISHED|CANCELLED)$ ]]
}

# The containers that have metrics, which are the jobs of k8s/prometheus.
readonly parts=(orders payments gateway outbox-sidecar operator traefik)

# Prometheus by the API server: needs no port of this machine.
prometheus_query() {
    kubectl get --raw "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy/api/v1/query?query=$1"
}

await_targets() {
    local job up
    await "Prometheus to have scraped every part" 60 every_part_is_up
    for job in "${parts[@]}"; do
        up=$(prometheus_query "sum(up{job=\"$job\"})" | sed -nE 's/.*"value":\[[^,]*,"([0-9]+)"\].*/\1/p')
        note "$job: $up up"
    done
}

every_part_is_up() {
    local answer job absent=''
    answer=$(prometheus_query 'count%20by(job)(up==1)') || return
    for job in "${parts[@]}"; do
        [[ $answer == *"\"job\":\"$job\""* ]] || absent+=" $job"
    done
    echo "none up of$absent"
    [[ -z $absent ]] || return
    answer=$(prometheus_query 'up==0') || return
    echo "down: $answer"
    [[ $answer == *'"result":[]'* ]]
}

check_ui() {
    local page
    page=$(through_ingress shop.localhost / --fail)
    [[ $page == *'<div id="root">'* ]] || fail "no web interface at shop.localhost: $page"
    through_ingress shop.localhost /api/ --fail >/dev/null || fail "no API under /api/ at shop.localhost"
    note "$(ingress_url shop.localhost), with the API under /api/"
}
