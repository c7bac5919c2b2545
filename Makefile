# Everything that is done to this repository, from a checkout with Go and make. `make` alone explains.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# The race detector without SQLite's own code, which was C before: it is most of what runs, and watching it took four
# times as long as all else. The driver around it, and all that uses it, are watched. internal/testenv says the same.
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

# Packages that `make test-go` tests, arguments of `make demo` and `make bench`.
PKG ?= ./...
DEMO_ARGS ?=
BENCH_ARGS ?=

.PHONY: help
help: ## Explain these targets.
	@echo "Usage: make TARGET"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/postroom, one static program without cgo; VERSION=… overrides git's word for it.
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/postroom ./cmd/postroom

.PHONY: demo
demo: build ## Build, then show events going in and out on a throw-away database; DEMO_ARGS=… are passed on.
	./bin/postroom demo $(DEMO_ARGS)

.PHONY: test
test: deps-test lint vet build test-go fuzz ## Check everything: install what is missing, lint, build, all tests on both databases, fuzz.

.PHONY: deps-test
deps-test: ## Install what the tests need and this machine lacks (Debian packages as root, golangci-lint in .bin).
	scripts/deps-test

.PHONY: lint
lint: ## Run the pinned golangci-lint, which is built into .bin first where it is missing.
	scripts/golangci-lint run

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: test-go
test-go: ## Run the Go tests with the race detector on SQLite and a private PostgreSQL; PKG=./store/... runs some of them.
	go build -buildvcs=false -o .bin/withpostgres ./internal/testenv/withpostgres
	CGO_ENABLED=1 .bin/withpostgres go test $(RACE) -timeout 20m $(PKG)

# How often `make crash` kills the server, and what it draws at random (0 for any).
KILLS ?= 100
SEED ?= 0

.PHONY: crash
crash: ## Kill the server under load KILLS times (100) on SQLite and half as often on PostgreSQL, and show the account; SEED=… repeats one.
	go test -tags crash -run TestCrashLong -timeout 2h -count 1 -v ./e2e -args -kills $(KILLS) -seed $(SEED)

.PHONY: clients
clients: ## Run vendors' own clients, from npm and unmodified, against the faces of their APIs; needs Node 20 and the registry.
	go test -tags clients -run TestClients -count 1 -v ./e2e

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME seconds (5), all of them for at most FUZZTOTAL seconds (120).
	scripts/fuzz

.PHONY: fmt
fmt: ## Format the Go files.
	scripts/golangci-lint fmt

.PHONY: bench
bench: build ## Measure this machine against a bare forwarder; BENCH_ARGS=… are passed on.
	./bin/postroom bench $(BENCH_ARGS)

.PHONY: clean
clean: ## Remove what was built, except the tools in .bin.
	rm -rf bin
