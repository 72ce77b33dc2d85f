#!/usr/bin/env bash
# Fails if a service links a Kafka client: carrying messages is the sidecar's work.
set -euo pipefail

for package in kit orders payments gateway; do
    # Tests may use one, to look at what the sidecar did.
    if cargo tree --locked --package "$package" --edges normal,build --prefix none |
        grep --extended-regexp '^(rdkafka|kafka|rskafka)'; then
        echo "$package depends on a Kafka client; let it write to its outbox instead" >&2
        exit 1
    fi
done
