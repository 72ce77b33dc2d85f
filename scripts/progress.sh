# shellcheck shell=bash
# How the scripts tell what they do. Sourced.

say() {
    if [[ -t 2 ]]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi
}

note() {
    printf '    %s\n' "$*" >&2
}

fail() {
    say "error: $*"
    exit 1
}

# step WHAT COMMAND... says what is done, does it, and says how long it took.
step() {
    local what=$1 begun=$SECONDS status=0
    shift
    say "==> $what"
    # Not `"$@" || …`, under which a function would go on after a failed command.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if ((status)); then
        say "    failed after $((SECONDS - begun)) s: $what"
        exit "$status"
    fi
    note "$((SECONDS - begun)) s"
}
