#!/bin/sh
# Fetches the broker's jars into the given folder, all or nothing. Does nothing if they are there.
#
#   fetch-jars.sh DEST
set -eu

# Absolute: Maven takes a relative folder from where the POM is.
case $1 in
/*) dest=$1 ;;
*) dest=$PWD/$1 ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
[ -d "$dest" ] && exit 0

for tool in java mvn; do
    if ! command -v "$tool" >/dev/null; then
        echo "$tool is missing; install it with: apt-get install openjdk-17-jre-headless maven" >&2
        exit 1
    fi
done

mkdir -p "$(dirname "$dest")"
aside=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$aside"' EXIT
echo "fetching Apache Kafka's jars with Maven (43 MB, once) ..." >&2
mvn --quiet --batch-mode -Dstyle.color=never --file "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$aside/libs" >&2
# A run in parallel may have been faster; its folder is as good as ours.
[ -d "$dest" ] || mv -T "$aside/libs" "$dest" 2>/dev/null || [ -d "$dest" ]
