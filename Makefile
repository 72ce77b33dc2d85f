# Everything a developer does. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS := .dev/tools
TAPLO := npx --yes @taplo/cli@0.7.0
SCRIPTS := .ci/run $(wildcard scripts/*.sh) k8s/images/ui/50-gateway.sh tests/support/kafka/fetch-jars.sh
CRD := relays.outbox-sidecar.dev.yaml
# What `setup` installs is used where the machine has none of its own.
export PATH := $(PATH):$(CURDIR)/$(TOOLS)/bin
# Where `make images` takes the programs from; without it a container builds them.
BINARIES ?=
UI_SOURCES := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

.PHONY: run
run: setup build ui ## Run the whole shop on this machine until Ctrl-C (UI on http://localhost:3000)
	@exec target/release/local-stack up

.PHONY: build
build: ## Build the programs, optimised
	cargo build --release --locked --workspace --bins

.PHONY: ui
ui: ui/dist/index.html ## Build the web interface

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	npm --prefix ui run build
	@touch $@

ui/node_modules/.package-lock.json: ui/package-lock.json
	npm --prefix ui ci --no-audit --no-fund
	@touch $@

.PHONY: test
test: setup ## Run every test, against real PostgreSQL and Kafka servers
	@# One build for programs and tests alike: the tests start the programs.
	cargo build --locked --workspace --all-targets
	@# More threads than cores: most of a test is waiting for another process.
	RUST_TEST_THREADS=8 target/debug/local-stack test-env -- cargo test --locked --workspace --no-fail-fast
	npm --prefix ui test

.PHONY: api-test
api-test: setup build ## Walk through the API with newman, and let schemathesis try it (needs npm, python3)
	scripts/api-test.sh

# Against programs built another way: make browser-test LOCAL_STACK=target/debug/local-stack
.PHONY: browser-test
browser-test: setup-browser $(if $(LOCAL_STACK),,build) ui tests/browser/node_modules/.package-lock.json ## Use the web interface of a whole shop by a real browser
	scripts/browser-test.sh $(ARGS)

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	npm --prefix tests/browser ci --no-audit --no-fund
	@touch $@

.PHONY: load
load: build ## Place 5,000 orders at the running shop and audit the books
	target/release/burst $(ARGS)

.PHONY: kill-test
kill-test: setup build ## Kill -9 one process after the other in the middle of bursts; audit each time
	target/release/kill-rounds $(ARGS)

.PHONY: faults
faults: setup build ## Break relays, servers, lines and application while rows are written; account for each row
	target/release/fault-ledger $(ARGS)

.PHONY: bench
bench: setup build ## Measure the relay beside its ceilings (ARGS="drain --rows 10000000", see --help)
	target/release/bench $(ARGS)

.PHONY: bench-quick
bench-quick: setup build ## The same with less of everything: under three minutes
	target/release/bench --quick $(ARGS)

.PHONY: images
images: $(if $(BINARIES),ui) ## Build the container images (BINARIES=target/release: from what is built)
	scripts/images.sh $(if $(BINARIES),--binaries $(BINARIES)) $(IMAGES)

.PHONY: kind-up
kind-up: $(if $(BINARIES),ui) ## Bring up everything on a kind cluster (needs docker, kind, helm, kubectl)
	@BINARIES='$(BINARIES)' scripts/kind.sh up

.PHONY: kind-load
kind-load: ## Load images that changed into the kind cluster
	@scripts/kind.sh load

.PHONY: kind-smoke
kind-smoke: ## Send orders through the kind cluster's ingress and check what becomes of them
	@scripts/kind.sh smoke

.PHONY: kind-down
kind-down: ## Delete the kind cluster with all its data
	@scripts/kind.sh down

.PHONY: e2e
e2e: ## Test everything on a kind cluster (KEEP=1: leave it there; a cluster that is there is used)
	scripts/e2e.sh

.PHONY: crd
crd: ## Generate the CRD from the sidecar's configuration
	cargo build --locked --package outbox-operator
	target/debug/outbox-operator crd >k8s/crd/$(CRD)
	cp k8s/crd/$(CRD) charts/outbox-operator/files/$(CRD)

.PHONY: openapi
openapi: ## Generate docs/openapi.json from the services' code
	@# Not straight into the file, which the gateway is built with.
	cargo build --locked --workspace --bin openapi
	target/debug/openapi >docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

.PHONY: api-types
api-types: ui/node_modules/.package-lock.json ## Generate the web interface's API types from docs/openapi.json
	npm --prefix ui run generate

.PHONY: charts-docs
charts-docs: setup-lint ## Generate the charts' READMEs from their values
	helm-docs --chart-search-root charts --log-level warning

.PHONY: lint
lint: setup-lint ui/node_modules/.package-lock.json tests/browser/node_modules/.package-lock.json ## Check formatting, code, scripts, charts, dependencies and licences
	cargo fmt --all --check
	$(TAPLO) fmt --check
	shellcheck --external-sources --check-sourced $(SCRIPTS)
	scripts/check-kafka-free.sh
	$(TOOLS)/bin/cargo-deny --locked check bans licenses sources
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	npm --prefix ui run lint
	npm --prefix tests/browser run lint
	@# The build of `make test`: another selection would build half of the dependencies once more.
	cargo build --locked --workspace --all-targets
	@echo "target/debug/outbox-operator crd: is k8s/crd up to date?"
	@target/debug/outbox-operator crd | diff --unified=2 k8s/crd/$(CRD) - || \
	{ echo "k8s/crd/$(CRD) is out of date: \`make crd\` generates it" >&2; exit 1; }
	scripts/check-charts.sh

.PHONY: fmt
fmt: ui/node_modules/.package-lock.json ## Format all code
	cargo fmt --all
	$(TAPLO) fmt
	npm --prefix ui run format

.PHONY: audit
audit: setup-lint ## Check the dependencies for known vulnerabilities (needs github.com)
	$(TOOLS)/bin/cargo-deny --locked check advisories

.PHONY: setup
setup: ## Install what building and running need, and is missing
	@scripts/setup.sh run

.PHONY: setup-lint
setup-lint:
	@scripts/setup.sh lint

.PHONY: setup-browser
setup-browser:
	@scripts/setup.sh browser

.PHONY: clean
clean: ## Delete everything that was built; the data of `make run` stays
	cargo clean
	rm -rf ui/dist ui/node_modules .dev/cache .dev/tools

.PHONY: clean-data
clean-data: ## Delete the data of `make run`: orders, accounts, topics, messages
	@# The program refuses while the shop runs; without it nothing can be running.
	@if [[ -x target/release/local-stack ]]; then target/release/local-stack clean-data; \
	else rm -rf .dev/data; fi
