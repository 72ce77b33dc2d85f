# shellcheck shell=bash
# What the scripts that start a shop of their own have in common. Sourced.

# await_shop PID DATA: waits until the shop of that local-stack and --data-dir is ready, and
# sets SHOP_API_URL and SHOP_UI_URL. Fails if it ends before, or after 180 s.
await_shop() {
    local shop=$1 addresses=$2/run/addresses.env deadline=$((SECONDS + 180))
    until [[ -f $addresses ]]; do
        if ! kill -0 "$shop" 2>/dev/null; then
            echo "the shop has not started" >&2
            return 1
        fi
        if ((SECONDS >= deadline)); then
            echo "the shop is not ready after 180 s" >&2
            return 1
        fi
        sleep 0.2
    done
    # shellcheck source=/dev/null
    . "$addresses"
}
