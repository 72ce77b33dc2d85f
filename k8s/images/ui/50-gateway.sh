#!/bin/sh
# Writes the upstream that /api/ is passed on to, from GATEWAY_URL. nginx looks
# the name up once, when it starts, and refuses to start without an answer; a
# Service has its name and address as long as it exists, with or without pods.
set -eu

case ${GATEWAY_URL:-} in
http://*) address=${GATEWAY_URL#http://} ;;
*)
    echo "GATEWAY_URL is \"${GATEWAY_URL:-}\", and must be http://host or http://host:port" >&2
    exit 64
    ;;
esac
address=${address%/}
case $address in
'' | *[!A-Za-z0-9.:_-]*)
    echo "GATEWAY_URL is \"$GATEWAY_URL\", and must be http://host or http://host:port, without a path" >&2
    exit 64
    ;;
esac

# A Service that is made in the same moment as this pod may not have reached
# the DNS server yet.
host=${address%:*}
seconds=0
until getent ahosts "$host" >/dev/null; do
    if [ "$seconds" -ge 60 ]; then
        echo "the gateway's name \"$host\" has no address after 60 s; does its Service exist?" >&2
        exit 1
    fi
    [ "$seconds" -gt 0 ] || echo "waiting for the gateway's name \"$host\" to have an address"
    seconds=$((seconds + 1))
    sleep 1
done

cat >/etc/nginx/conf.d/gateway.conf <<END
upstream gateway {
  server $address;
  # Dropped before the gateway would, which is after 60 s.
  keepalive 32;
  keepalive_timeout 50s;
}
END
