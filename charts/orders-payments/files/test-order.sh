# An order through the gateway: one that can be paid ends FINISHED, one that
# cannot ends CANCELLED, and the books show one payment. Needs GATEWAY, UI, TIMEOUT.

case $(wget -q -O - -T 15 "$GATEWAY/auth/config") in
    *'"mode":"demo"'*) ;;
    *)
        # Nobody but the issuer gives tokens: what can be seen is that the door is locked.
        if wget -q -O /dev/null -T 15 "$GATEWAY/orders"; then
            echo "the API answers without a token" >&2
            exit 1
        fi
        wget -q -O /dev/null -T 15 "$UI/"
        wget -q -O /dev/null -T 15 "$UI/api/auth/config"
        echo "the web interface answers, and the API asks for a token"
        exit 0
        ;;
esac

user=$(( $(date +%s) % 1000000000 + 1000000000 ))

token=$(wget -q -O - -T 15 --post-data "{\"user_id\":$user}" "$GATEWAY/auth/demo-token" |
    sed -n 's/.*"token":"\([^"]*\)".*/\1/p')

get() {
    wget -q -O - -T 15 --header "Authorization: Bearer $token" "$1"
}

post() {
    wget -q -O - -T 15 --header "Authorization: Bearer $token" --header 'Content-Type: application/json' --header "Idempotency-Key: test-$user-$3" \
        --post-data "$2" "$GATEWAY$1"
}

# place AMOUNT KEY: prints the new order's id.
place() {
    id=$(post /orders "{\"user_id\":$user,\"amount\":$1,\"description\":\"helm test\"}" "$2" |
        sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
    if [ -z "$id" ]; then
        echo "an order of $1 was not taken" >&2
        return 1
    fi
    echo "$id"
}

# await ID STATUS: waits for the order to end so.
await() {
    attempt=0
    while [ "$attempt" -lt "$TIMEOUT" ]; do
        order=$(get "$GATEWAY/orders/$1" || true)
        case $order in
            *"\"status\":\"$2\""*) echo "order $1 is $2"; return 0 ;;
            *'"status":"FINISHED"'* | *'"status":"CANCELLED"'*) break ;;
        esac
        attempt=$((attempt + 1))
        sleep 1
    done
    echo "order $1 did not become $2 within $TIMEOUT s: $order" >&2
    return 1
}

echo "opening an account for user $user"
post /users "{\"user_id\":$user,\"balance\":100}" account > /dev/null

paid=$(place 60.25 paid)
await "$paid" FINISHED
unpaid=$(place 60.25 unpaid)
await "$unpaid" CANCELLED

account=$(get "$GATEWAY/users/$user")
case $account in
    *'"balance":39.75'*) echo "the balance is right: $account" ;;
    *) echo "the balance should be 39.75: $account" >&2; exit 1 ;;
esac

wget -q -O /dev/null -T 15 "$UI/"
get "$UI/api/users/$user" > /dev/null
echo "the web interface answers, and has the API under /api"
