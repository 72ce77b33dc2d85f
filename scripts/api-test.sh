#!/usr/bin/env bash
# Starts a shop of its own, walks through its API with the Postman collection, and lets
# schemathesis try what the description allows and what it does not, for a bounded time.
# Programs: node, python3, and local-stack from LOCAL_STACK (target/release) with the
# programs beside it.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=scripts/await-shop.sh
. scripts/await-shop.sh

local_stack=${LOCAL_STACK:-target/release/local-stack}
seconds=${SECONDS_OF_TRYING:-90}
python=.dev/tools/api/bin
data=$(mktemp --directory)
# PostgreSQL runs under an account of its own where this runs as root.
chmod 711 "$data"

if [[ ! -x $python/schemathesis ]]; then
    python3 -m venv .dev/tools/api
fi
"$python/pip" install --quiet --disable-pip-version-check --requirement tests/api/requirements.txt
npm --prefix tests/api ci --no-audit --no-fund --silent

"$local_stack" up --no-ui --free-ports --data-dir "$data" > "$data/log" 2>&1 &
stack=$!
finish() {
    code=$?
    kill -TERM "$stack" 2> /dev/null || true
    wait "$stack" || true
    if ((code != 0)); then
        tail --lines 40 "$data/log" >&2
    fi
    rm --recursive --force "$data"
    exit "$code"
}
trap finish EXIT

echo "waiting for the shop"
await_shop "$stack" "$data"
gateway=$SHOP_API_URL

npx --prefix tests/api newman run postman/orders-and-payments.postman_collection.json \
    --env-var "baseUrl=$gateway" --timeout-request 10000 --reporters cli --color off

token=$(curl --silent --show-error --fail --json '{"operator": true}' "$gateway/auth/demo-token" |
    "$python/python" -c 'import json, sys; print(json.load(sys.stdin)["token"])')
timeout $((seconds * 3 + 60)) "$python/schemathesis" --config-file tests/api/schemathesis.toml run \
    "$gateway/openapi.json" --url "$gateway" --exclude-path-regex "^/(events|ws)$" --header "Authorization: Bearer $token" \
    --max-time "$seconds"
