#!/usr/bin/env bash
# Starts a whole shop of its own, beside any other, and runs the browser's tests
# against it: scripts/browser-test.sh [playwright's arguments]. LOCAL_STACK is
# the program that starts it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/await-shop.sh
. scripts/await-shop.sh
local_stack=${LOCAL_STACK:-target/release/local-stack}
data=$(mktemp -d "${TMPDIR:-/tmp}/shop-browser-test.XXXXXX")
# PostgreSQL runs under an account of its own where this runs as root.
chmod 711 "$data"
log=$data/shop.log
shop=

finish() {
  local status=$?
  trap - EXIT
  if [[ -n $shop ]] && kill -TERM "$shop" 2>/dev/null; then
    wait "$shop" || true
  fi
  if ((status != 0)) && [[ -f $log ]]; then
    echo "the last the shop said (of $log):" >&2
    tail -n 40 "$log" >&2
    cp "$log" tests/browser/results/shop.log 2>/dev/null || true
  fi
  rm -rf "$data"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$local_stack" up --free-ports --data-dir "$data" >"$log" 2>&1 &
shop=$!
echo "starting a shop"
await_shop "$shop" "$data"
export SHOP_URL=$SHOP_UI_URL SHOP_RUN_DIR="$data/run"
cd tests/browser
npx playwright test "${@:---project=system}"
