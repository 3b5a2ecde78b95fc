# Everything a person needs: `make quickstart` shows the product, `make test` tests it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help quickstart demo crds deploy static tools test model lint bench fuzz

# Build products live outside the checkout where CI says so; see .ci/run.
target := $(or $(CARGO_TARGET_DIR),target)

help: ## Lists these targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

quickstart: ## Copies the sample under examples/ between two directories: no network, no registry
	cargo build --quiet
	$(target)/debug/transship sync -f examples/quickstart/mirror.yaml \
	  --from-layout examples/quickstart/source --to-layout $(target)/quickstart

crds: ## Writes the definitions of the custom resources into crds/
	cargo build --quiet
	for name in imagemirrors imagepolicies mirroredrepositories; do \
	  $(target)/debug/transship crds $$name >crds/$$name.yaml; \
	done

demo: tools ## Shows the controller: a Kubernetes API, two registries and a mirror on this machine
	cargo build --quiet
	hack/demo.sh $(target)/debug/transship $(target)/demo

tools: ## Gets the registries, the control plane and the peer tools for tests and benchmarks into a cache, once
	hack/tools.sh

test: tools ## Runs all tests against real registries and a real Kubernetes API
	cargo test --locked --lib --tests

# The crate alone is optimised for it: what it needs is built for the tests already.
optimised := --config 'profile.dev.package.transship.opt-level=1'

# How many histories, and the seed of the first one.
HISTORIES ?= 10000000
FROM ?= 0

model: ## Plays 10,000,000 random histories of pruning against a judge that shares nothing with the code that decides
	TRANSSHIP_MODEL_HISTORIES=$(HISTORIES) TRANSSHIP_MODEL_FROM=$(FROM) cargo test $(optimised) --locked --lib -- \
	  --nocapture --exact sync::prune::model::no_history_loses_what_is_wanted_used_or_somebody_elses

lint: ## Checks formatting and lints
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings

bench: tools ## Compares with crane, regsync, skopeo and oras, gives the controller 10,000 mirrors, a plan 9,000 tags and pruning 100,000
	cargo bench --locked --bench peers --bench controller --bench plan --bench prune

fuzz: ## Builds the fuzz targets
	cargo build --locked --manifest-path fuzz/Cargo.toml

deploy: tools ## Takes the definitions of crds/ into the chart, and renders the chart into deploy/
	cp crds/*.yaml charts/transship/files/crds/
	hack/deploy.sh

static: ## Builds the one static file that the container image holds, and runs it on nothing else
	program=$$(hack/static.sh) && hack/try-static.sh "$$program"
