#!/usr/bin/env bash
# Builds the container images.
set -euo pipefail

cd "$(dirname "$0")/.."
# shellcheck source=scripts/progress.sh
source scripts/progress.sh

usage() {
    cat <<'END'
usage: scripts/images.sh [--binaries DIR] [--tag TAG] [IMAGE...]

Builds the images named, or all of the project's: shop-orders, shop-payments, shop-gateway, shop-ui,
outbox-sidecar and outbox-operator. `python-notes`, the example, is built when it is named.

  --binaries DIR  take the programs from DIR, such as target/release, and the web interface from
                  ui/dist, instead of building them in the Dockerfile. The programs must be built
                  on Debian 12, or against a glibc that is no newer than its.
  --tag TAG       tag of the images (default: dev)

  RUST_IMAGE, NODE_IMAGE  other images to build in
END
}

binaries=
tag=dev
wanted=()
while (($#)); do
    case $1 in
    --binaries | --tag)
        [[ -n ${2:-} ]] || fail "$1 needs a value; see scripts/images.sh --help"
        declare "${1#--}=$2"
        shift
        ;;
    -h | --help)
        usage
        exit
        ;;
    -*) fail "unknown option $1; see scripts/images.sh --help" ;;
    *) wanted+=("$1") ;;
    esac
    shift
done
((${#wanted[@]})) || wanted=(outbox-sidecar outbox-operator shop-orders shop-payments shop-gateway shop-ui)

# The target in the Dockerfiles, and the program, behind an image.
target_of() {
    case $1 in
    shop-orders | shop-payments | shop-gateway | shop-ui) echo "${1#shop-}" ;;
    outbox-sidecar | outbox-operator | python-notes) echo "$1" ;;
    *) fail "there is no image $1; see scripts/images.sh --help" ;;
    esac
}

# The same for the same source, so that an image that did not change keeps its id.
label_arguments() {
    local version revision=unknown created=unknown
    version=$(sed -n '/^\[workspace.package\]/,/^\[/ s/^version = "\(.*\)"/\1/p' Cargo.toml)
    if revision=$(git rev-parse HEAD 2>/dev/null); then
        created=$(git log -1 --format=%cI)
        git diff --quiet HEAD || revision+=-dirty
    fi
    printf -- '--build-arg\n%s\n' "VERSION=$version" "REVISION=$revision" "CREATED=$created"
}

# Copies what prebuilt.Dockerfile wants into a folder; the docker client sends all of it.
stage() {
    local folder=$1 image program
    # The classic builder goes through the stages of other images too, and copies their programs.
    touch "$folder"/{orders,payments,gateway,outbox-sidecar,outbox-operator}
    for image in "${wanted[@]}"; do
        case $image in
        python-notes) continue ;;
        shop-ui)
            [[ -f ui/dist/index.html ]] || fail "ui/dist is missing: \`make ui\` builds it"
            cp -r ui/dist "$folder/dist"
            cp -r k8s/images/ui "$folder/nginx"
            continue
            ;;
        esac
        program=$(target_of "$image")
        [[ -x $binaries/$program ]] ||
            fail "$binaries/$program is missing: \`make build\` builds target/release/$program"
        # Debug information is most of a program's size, and of no use in an image.
        strip -o "$folder/$program" "$binaries/$program" 2>/dev/null ||
            cp "$binaries/$program" "$folder/$program"
    done
    # Whatever this machine's umask is: the images' users are others.
    chmod -R u=rwX,go=rX "$folder"
}

# Fails with a reason when what is in an image does not run there.
try_image() {
    local image=$1 untried=$2 said
    local run=(docker run --rm --network none --read-only)
    case $image in
    python-notes) return ;;
    shop-ui)
        run+=(--tmpfs /tmp --tmpfs /etc/nginx/conf.d:uid=101
            --env GATEWAY_URL=http://127.0.0.1:8080 "$untried" nginx -t)
        ;;
    *) run+=("$untried" --help) ;;
    esac
    said=$("${run[@]}" 2>&1) && return
    printf '%s\n' "$said" >&2
    if [[ $said == *GLIBC* ]]; then
        fail "$binaries has programs that need a newer glibc than Debian 12's: build them on Debian 12, or leave BINARIES away"
    fi
    fail "$image does not start"
}

build_image() {
    local image=$1 untried=$1:$tag-untried said id before
    local arguments=("${labels[@]}" --tag "$untried")
    case $image in
    python-notes) arguments+=(examples/python-notes) ;;
    *)
        arguments+=(--target "$(target_of "$image")")
        if [[ -n $binaries ]]; then
            arguments+=(--file k8s/images/prebuilt.Dockerfile "$staged")
        else
            arguments+=(--build-arg "RUST_IMAGE=${RUST_IMAGE:-$rust_image}"
                ${NODE_IMAGE:+--build-arg "NODE_IMAGE=$NODE_IMAGE"} .)
        fi
        ;;
    esac
    if [[ -n $binaries || $image == python-notes ]]; then
        # Nothing in it takes long, and what it says is of interest only when it fails.
        said=$(docker build --quiet "${arguments[@]}" 2>&1) || fail "$said"
    else
        docker build "${arguments[@]}"
    fi
    id=$(docker image inspect --format '{{.Id}}' "$untried")
    before=$(docker image inspect --format '{{.Id}}' "$image:$tag" 2>/dev/null || true)
    if [[ $id == "$before" ]]; then
        docker image rm "$untried" >/dev/null
        note "as it was"
        return
    fi
    # Gets its name when it is known to run.
    try_image "$image" "$untried"
    docker tag "$untried" "$image:$tag"
    docker image rm "$untried" >/dev/null
    # The old one has no name any more, unless it has another.
    [[ -z $before ]] || docker image rm "$before" >/dev/null 2>&1 || true
    note "$(($(docker image inspect --format '{{.Size}}' "$image:$tag") / 1000000)) MB"
}

for image in "${wanted[@]}"; do target_of "$image" >/dev/null; done
docker info >/dev/null 2>&1 || fail "no docker engine answers (\`docker info\`): install Docker from https://docs.docker.com/engine/install, or start it"

# Attestations hold the time, and would give an image that did not change another id.
export BUILDX_NO_DEFAULT_ATTESTATIONS=1

rust_image=rust:$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)-bookworm
mapfile -t labels < <(label_arguments)
if [[ -n $binaries ]]; then
    staged=$(mktemp -d)
    trap 'rm -rf "$staged"' EXIT
    stage "$staged"
fi
for image in "${wanted[@]}"; do
    step "image $image:$tag" build_image "$image"
done
