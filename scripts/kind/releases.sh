# shellcheck shell=bash
# What is installed in the cluster. Sourced by kind.sh.

install_addons() {
    kubectl apply -f k8s/namespaces.yaml -f k8s/traefik -f k8s/prometheus | { grep -v unchanged || true; } >&2
    watching traefik kubectl --namespace traefik rollout status daemonset/traefik --timeout 180s
    watching monitoring kubectl --namespace monitoring rollout status deployment/prometheus --timeout 180s
}

# The ids of images, as a pod annotation: the tag stays the same, so that nothing
# else would replace pods of an old image.
image_annotation() {
    local image ids=''
    for image in "$@"; do
        id=$(image_id "$image:dev")
        id=${id#sha256:}
        ids+=${ids:+ }${id:0:12}
    done
    echo "podAnnotations.image-id=$ids"
}

# release NAMESPACE NAME CHART [OPTION...] installs or upgrades it and waits until all is ready.
release() {
    local namespace=$1 name=$2 chart=$3 status
    shift 3
    # One that was cut off in the middle blocks the next.
    status=$(helm --namespace "$namespace" status "$name" 2>/dev/null | sed -n 's/^STATUS: //p' || true)
    case $status in
    pending-install | uninstalling)
        note "removing what an interrupted installation has left"
        helm --namespace "$namespace" uninstall "$name" --wait >/dev/null
        ;;
    pending-upgrade | pending-rollback)
        note "undoing an interrupted upgrade"
        helm --namespace "$namespace" rollback "$name" >/dev/null
        ;;
    esac
    watching "$namespace" helm --namespace "$namespace" upgrade --install "$name" "$chart" \
        --values "$chart/values-kind.yaml" --wait --timeout 8m "$@"
}

install_operator() {
    release outbox-sidecar-system outbox-operator charts/outbox-operator \
        --set-string "$(image_annotation outbox-operator)"
}

install_shop() {
    release shop shop charts/orders-payments \
        --set-string "orders.$(image_annotation shop-orders outbox-sidecar)" \
        --set-string "payments.$(image_annotation shop-payments outbox-sidecar)" \
        --set-string "gateway.$(image_annotation shop-gateway)" \
        --set-string "ui.$(image_annotation shop-ui)"
}

await_relays() {
    kubectl --namespace shop wait relays --all --for condition=Ready --timeout 120s >/dev/null || {
        kubectl --namespace shop describe relays >&2
        fail "not every Relay is ready; the conditions above say why"
    }
    kubectl --namespace shop get relays >&2
}

await_ingress() {
    await "http://shop.localhost behind the ingress" 60 through_ingress shop.localhost / --fail --output /dev/null
    # As far as the database.
    await "http://api.shop.localhost behind the ingress" 120 first_page
}

first_page() {
    local token
    token=$(through_ingress api.shop.localhost /auth/demo-token --fail --data '{"operator":true}' |
        sed -nE 's/.*"token":"([^"]*)".*/\1/p')
    through_ingress api.shop.localhost '/orders?limit=1' --fail --output /dev/null \
        --header "authorization: Bearer $token"
}

show_addresses() {
    local api ui
    api=$(ingress_url api.shop.localhost)
    ui=$(ingress_url shop.localhost)
    cat <<END

  web interface   $ui
  API             $api

  TOKEN=\$(curl -s $api/auth/demo-token -d '{"user_id": 1}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s $api/users -H "Authorization: Bearer \$TOKEN" -d '{"user_id": 1, "balance": 1400}' -H 'content-type: application/json'
  curl -s $api/orders -H "Authorization: Bearer \$TOKEN" -d '{"user_id": 1, "amount": 1000}' -H 'content-type: application/json'
  curl -s $api/orders/user/1 -H "Authorization: Bearer \$TOKEN"          # a moment later: FINISHED

  kubectl --context $context -n shop port-forward svc/shop-ui 3000:80               # http://localhost:3000
  kubectl --context $context -n monitoring port-forward svc/prometheus 9090:9090    # http://localhost:9090
  kubectl --context $context -n shop get relays
  helm --kube-context $context -n shop test shop

  make kind-smoke   sends two orders and checks what becomes of them
  make kind-down    deletes the cluster

END
}
