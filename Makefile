# Everything one does with a checkout of porteur. `make` alone lists it.

CARGO ?= cargo
IDP := tests/idp
AUTHLIB := tests/authlib
SSLYZE := tests/sslyze
GRPC := tests/grpc
# A newer clippy has new opinions: they are warnings until the project has heard them.
LINTED_WITH := 0.1.95

# What tests use as clients, as upstreams and as networks. A network that loses packets is made on Linux alone.
TOOLS := nginx haproxy h2load slowhttptest varnishtest $(if $(filter Linux,$(shell uname -s)),nft ip unshare)
SOAK_SECONDS ?= 600
FUZZ_SECONDS ?= 60

.PHONY: help demo test lint release bench fuzz soak clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s%s\n", $$1, $$2 }' Makefile

demo: ## build quickly, then run a gateway, an authorization server and a protected API on this machine
	@scripts/need.sh cargo cc cmake
	$(CARGO) run --locked --profile quick -- demo

test: ## install what is missing, then check formatting, lints and all tests
	@scripts/need.sh cargo cc cmake curl node npm openssl python3 python3-venv $(TOOLS)
	@$(MAKE) --no-print-directory lint $(IDP)/node_modules/.package-lock.json $(AUTHLIB)/.venv/.complete $(SSLYZE)/.venv/.complete $(GRPC)/.venv/.complete
	$(CARGO) test --locked
	@echo "make test: everything passed"

# A toolchain of the minimal profile has neither tool, and cannot always fetch them: the tests still run there.
lint:
	@if $(CARGO) fmt --version >/dev/null 2>&1; then set -x; $(CARGO) fmt --check; \
	else echo "porteur: formatting is NOT checked; type: rustup component add rustfmt" >&2; fi
	@if $(CARGO) clippy --version >/dev/null 2>&1; then set -x; $(CARGO) clippy --locked --all-targets -- $$($(CARGO) clippy --version | grep -q '$(LINTED_WITH)' && echo '-D warnings'); \
	else echo "porteur: lints are NOT checked; type: rustup component add clippy" >&2; fi

# npm writes this file last, so it is newer than the lock exactly when the tree is complete.
$(IDP)/node_modules/.package-lock.json: $(IDP)/package.json $(IDP)/package-lock.json
	cd $(IDP) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

# Made anew each time, so that nothing of a broken installation or of another Python stays.
$(AUTHLIB)/.venv/.complete $(GRPC)/.venv/.complete: %/.venv/.complete: %/requirements.txt
	python3 -m venv --clear $*/.venv
	$*/.venv/bin/python -m pip install --disable-pip-version-check --quiet --require-virtualenv --only-binary :all: -r $<
	@touch $@

$(SSLYZE)/.venv/.complete: $(SSLYZE)/requirements.txt
	python3 -m venv --clear $(SSLYZE)/.venv
	$(SSLYZE)/.venv/bin/python -m pip install --disable-pip-version-check --quiet --require-virtualenv --only-binary :all: --no-binary sslyze -r $<
	@touch $@

release: ## the binary to deploy: target/release/porteur, with link-time optimisation (takes minutes)
	@scripts/need.sh cargo cc cmake
	$(CARGO) build --locked --release

bench: ## run the micro benchmarks
	@scripts/need.sh cargo cc cmake
	$(CARGO) bench --locked

fuzz: ## run each fuzz target for FUZZ_SECONDS (60 unless set) with cargo-fuzz
	@scripts/need.sh cargo cc cmake
	FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh

soak: ## load and faults for SOAK_SECONDS (600 unless set); the report is target/soak.md
	@scripts/need.sh cargo cc cmake
	SOAK_SECONDS=$(SOAK_SECONDS) SOAK_REPORT=$(CURDIR)/target/soak.md \
	$(CARGO) test --locked --profile quick --test gateway -- --ignored --exact soak::soak --nocapture

clean: ## remove everything that was built or installed in this folder
	$(CARGO) clean
	rm -rf $(IDP)/node_modules $(AUTHLIB)/.venv $(SSLYZE)/.venv $(GRPC)/.venv
