# Every image of the project, one target each:
#
#   docker build --target orders --tag shop-orders:dev .
#
# Targets: orders, payments, gateway, outbox-sidecar, outbox-operator, ui. `make images` builds them
# all. The classic builder will do; BuildKit builds only the stages that a target needs.
# k8s/images/prebuilt.Dockerfile has the same final stages for programs that are built already.

ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim
ARG BASE_IMAGE=debian:bookworm-slim
ARG UI_BASE_IMAGE=nginxinc/nginx-unprivileged:stable

# ---- the programs

FROM ${RUST_IMAGE} AS rust
# A program needs nothing but glibc, whatever base image it gets.
ENV LIBZ_SYS_STATIC=1
WORKDIR /src
RUN cargo install --locked --root /usr/local cargo-chef@0.1.78

# The dependencies alone, as a list that changes only when they do.
FROM rust AS planner
COPY . .
RUN cargo chef prepare --recipe-path /recipe.json

FROM rust AS builder
COPY --from=planner /recipe.json /recipe.json
RUN cargo chef cook --locked --profile dist --recipe-path /recipe.json \
    --package orders --package payments --package gateway --package outbox-sidecar --package outbox-operator
COPY . .
RUN cargo build --locked --profile dist --bins \
    --package orders --package payments --package gateway --package outbox-sidecar --package outbox-operator

# ---- what a program needs around it

# Three files of this stage end up in an image.
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

# ---- the images

FROM runtime AS orders
LABEL org.opencontainers.image.title="shop-orders" \
      org.opencontainers.image.description="Takes orders and applies payment outcomes"
COPY --from=builder /src/target/dist/orders /usr/local/bin/orders
EXPOSE 8081 9081
ENTRYPOINT ["/usr/local/bin/orders"]

FROM runtime AS payments
LABEL org.opencontainers.image.title="shop-payments" \
      org.opencontainers.image.description="Keeps accounts and pays orders"
COPY --from=builder /src/target/dist/payments /usr/local/bin/payments
EXPOSE 8082 9082
ENTRYPOINT ["/usr/local/bin/payments"]

FROM runtime AS gateway
LABEL org.opencontainers.image.title="shop-gateway" \
      org.opencontainers.image.description="The shop's one public door"
COPY --from=builder /src/target/dist/gateway /usr/local/bin/gateway
EXPOSE 8080 9080
ENTRYPOINT ["/usr/local/bin/gateway"]

FROM runtime AS outbox-sidecar
LABEL org.opencontainers.image.title="outbox-sidecar" \
      org.opencontainers.image.description="Carries an outbox table to Kafka, and Kafka to an inbox table and the application"
COPY --from=builder /src/target/dist/outbox-sidecar /usr/local/bin/outbox-sidecar
EXPOSE 9100
ENTRYPOINT ["/usr/local/bin/outbox-sidecar"]

FROM runtime AS outbox-operator
LABEL org.opencontainers.image.title="outbox-operator" \
      org.opencontainers.image.description="Gives annotated pods the outbox sidecar that their Relay describes"
COPY --from=builder /src/target/dist/outbox-operator /usr/local/bin/outbox-operator
EXPOSE 8080 9443
ENTRYPOINT ["/usr/local/bin/outbox-operator"]

# ---- the web interface

FROM ${NODE_IMAGE} AS ui-builder
WORKDIR /ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY ui/ ./
RUN npm run build

FROM ${UI_BASE_IMAGE} AS ui
LABEL org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.title="shop-ui" \
      org.opencontainers.image.description="The shop's web interface"
COPY k8s/images/ui/nginx.conf k8s/images/ui/security-headers.conf /etc/nginx/
COPY k8s/images/ui/default.conf.template /etc/nginx/templates/
COPY k8s/images/ui/50-gateway.sh /docker-entrypoint.d/
COPY --from=ui-builder /ui/dist /usr/share/nginx/html
ENV GATEWAY_URL=http://gateway:8080 OIDC_ORIGIN=
USER 101
EXPOSE 8080
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
