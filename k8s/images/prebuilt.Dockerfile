# The images of the Dockerfile in the root folder, from programs that are built already:
# `make images BINARIES=target/release` gathers them in a folder and builds there.

ARG BASE_IMAGE=debian:bookworm-slim
ARG UI_BASE_IMAGE=nginxinc/nginx-unprivileged:stable

FROM ${BASE_IMAGE} AS root-files
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && groupadd --gid 65532 nonroot \
 && useradd --uid 65532 --gid 65532 --no-log-init --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin nonroot

FROM ${BASE_IMAGE} AS runtime
COPY --from=root-files /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=root-files /etc/passwd /etc/group /etc/
USER 65532:65532
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

FROM runtime AS orders
LABEL org.opencontainers.image.title="shop-orders" \
      org.opencontainers.image.description="Takes orders and applies payment outcomes"
COPY orders /usr/local/bin/orders
EXPOSE 8081 9081
ENTRYPOINT ["/usr/local/bin/orders"]

FROM runtime AS payments
LABEL org.opencontainers.image.title="shop-payments" \
      org.opencontainers.image.description="Keeps accounts and pays orders"
COPY payments /usr/local/bin/payments
EXPOSE 8082 9082
ENTRYPOINT ["/usr/local/bin/payments"]

FROM runtime AS gateway
LABEL org.opencontainers.image.title="shop-gateway" \
      org.opencontainers.image.description="The shop's one public door"
COPY gateway /usr/local/bin/gateway
EXPOSE 8080 9080
ENTRYPOINT ["/usr/local/bin/gateway"]

FROM runtime AS outbox-sidecar
LABEL org.opencontainers.image.title="outbox-sidecar" \
      org.opencontainers.image.description="Carries an outbox table to Kafka, and Kafka to an inbox table and the application"
COPY outbox-sidecar /usr/local/bin/outbox-sidecar
EXPOSE 9100
ENTRYPOINT ["/usr/local/bin/outbox-sidecar"]

FROM runtime AS outbox-operator
LABEL org.opencontainers.image.title="outbox-operator" \
      org.opencontainers.image.description="Gives annotated pods the outbox sidecar that their Relay describes"
COPY outbox-operator /usr/local/bin/outbox-operator
EXPOSE 8080 9443
ENTRYPOINT ["/usr/local/bin/outbox-operator"]

FROM ${UI_BASE_IMAGE} AS ui
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.title="shop-ui" \
      org.opencontainers.image.description="The shop's web interface"
COPY nginx/nginx.conf nginx/security-headers.conf /etc/nginx/
COPY nginx/default.conf.template /etc/nginx/templates/
COPY nginx/50-gateway.sh /docker-entrypoint.d/
COPY dist /usr/share/nginx/html
ENV GATEWAY_URL=http://gateway:8080 OIDC_ORIGIN=
USER 101
EXPOSE 8080
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
