# Everything a person needs: `make quickstart` shows the product, `make test` tests it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help quickstart demo picture crds deploy static tools check test model hostile lint licenses documentation bench fuzz archive sbom package release-manifests release-dry-run

# Build products live outside the checkout where CI says so; see .ci/run.
target := $(or $(CARGO_TARGET_DIR),target)
# Programs that `make tools` put into its cache, by the version that it has of them.
tool_cache := $(or $(TRANSSHIP_TOOLS),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/transship-tools)
version_of = $(shell sed -n 's/^$(1)  *\([^ ]*\).*/\1/p' hack/tools.versions)
helm = $(tool_cache)/helm-$(call version_of,helm)/helm
cargo_deny = $(tool_cache)/cargo-deny-$(call version_of,cargo-deny)/cargo-deny

help: ## Lists these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

quickstart: ## Copies the sample under examples/ between two directories: no network, no registry
	cargo build --quiet
	$(target)/debug/transship sync -f examples/quickstart/mirror.yaml \
	  --from-layout examples/quickstart/source --to-layout $(target)/quickstart

crds: ## Writes the definitions of the custom resources into crds/
	cargo build --quiet
	for name in imagemirrors imagenotifications imagepolicies imagereceivers mirroredrepositories; do \
	  $(target)/debug/transship crds $$name >crds/$$name.yaml; \
	done

demo: tools ## Shows the controller and its page: a Kubernetes API, two registries and a mirror on this machine
	cargo build --quiet
	hack/demo.sh $(target)/debug/transship $(target)/demo

picture: tools ## Records the demo anew, and draws the picture of the README
	UPDATE_TRANSCRIPTS=1 cargo test --locked --test suite -- docs::demo::the_demo
	UPDATE_TRANSCRIPTS=1 cargo test --locked --test suite -- docs::demo::the_picture docs::demo::the_readme

tools: ## Gets the registries, the control plane and the peer tools for tests and benchmarks into a cache, once
	hack/tools.sh

check: lint ## What is quick: formatting, lints, unit tests, the floors
	cargo test --locked --lib --test floors

test: tools ## Runs all tests against real registries and a real Kubernetes API, and names the slowest
	cargo test --locked --lib --tests --config "target.'cfg(unix)'.runner = '$(CURDIR)/hack/slowest-tests.sh'"

# The crate alone is optimised for it: what it needs is built for the tests already.
optimised := --config 'profile.dev.package.transship.opt-level=1'

# The model is built once and plays for long: it is worth more. What a debug build would catch, the unit tests do.
quick := --config 'profile.dev.package.transship.opt-level=2' --config 'profile.dev.package.transship.debug=false' \
  --config 'profile.dev.package.transship.debug-assertions=false' --config 'profile.dev.package.transship.overflow-checks=true'

# How many histories, and the seed of the first one.
HISTORIES ?= 10000000
FROM ?= 0

model: ## Plays 10,000,000 random histories of pruning against a judge that shares nothing with the code that decides
	TRANSSHIP_MODEL_HISTORIES=$(HISTORIES) TRANSSHIP_MODEL_FROM=$(FROM) cargo test $(quick) --locked --lib -- \
	  --nocapture --exact sync::prune::model::no_history_loses_what_is_wanted_used_or_somebody_elses

lint: ## Checks formatting and lints
	cargo fmt --check
	cargo clippy --locked --all-targets -- --deny warnings

licenses: tools ## Checks licenses, sources and bans of dependencies
	$(cargo_deny) --locked check --hide-inclusion-graph bans licenses sources

documentation: ## Checks the documentation of the code: links, and what rustdoc warns of
	RUSTDOCFLAGS=--deny=warnings cargo doc --locked --lib --no-deps

hostile: tools ## Attacks a controller of 512 MiB from six namespaces at once, and says what it took and how much longer a quiet mirror took
	cargo test $(optimised) --locked --test suite -- --nocapture --exact hostile::hostile_tenants_take_nothing_from_others

bench: tools ## Compares with crane, regsync, skopeo and oras, gives the controller 10,000 mirrors, three replicas 300, and one 2,000 pushes, a plan 9,000 tags and pruning 100,000, and attacks it
	cargo bench --locked --bench peers --bench controller --bench replicas --bench events --bench plan --bench prune
	$(MAKE) hostile

fuzz: ## Builds the fuzz targets, and runs each for ten seconds
	hack/fuzz.sh 10

deploy: tools ## Takes the definitions of crds/ into the chart, and renders the chart into deploy/
	cp crds/*.yaml charts/transship/files/crds/
	hack/deploy.sh

static: ## Builds the one static file that the container image holds, and runs it on nothing else
	program=$$(hack/static.sh) && hack/try-static.sh "$$program"

# === releases ===

dist := $(target)/dist
# Where the release will be: below this, in releases/download.
repository ?= https://example.com/transship
system := $(if $(filter Darwin,$(shell uname -s)),darwin,linux)
architecture := $(if $(filter x86_64,$(shell uname -m)),amd64,arm64)

archive: ## Packs the program of this system for download, with manual pages and completions
	program=$$(hack/release/build.sh) && hack/release/archive.py "$$program" $(system) $(architecture) $(dist)

sbom: ## Lists what the program is made of, as CycloneDX
	mkdir -p $(dist)
	hack/release/sbom.py $$(uname -m)-unknown-linux-musl >$(dist)/transship.cdx.json

package: tools ## Packs the chart
	mkdir -p $(dist)
	$(helm) package charts/transship --destination $(dist)

release-manifests: ## Writes what Homebrew and krew read about the archives, and the digests of all files
	hack/release/manifests.py $(dist) $(repository)

release-dry-run: ## Makes all of a release that needs no network, for this system
	rm -rf $(dist)
	$(MAKE) archive sbom package
	$(MAKE) release-manifests
	ls -l $(dist)
