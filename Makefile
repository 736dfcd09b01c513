# Tasks of the repository. `make` alone lists them.
#
# Build output and tools go to $LOAM_CACHE (default ~/.cache/loam). In the clone only target/ with the binaries, and data/,
# are created; git ignores both.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export LOAM_CACHE ?= $(HOME)/.cache/loam
export CARGO_TARGET_DIR ?= $(LOAM_CACHE)/target
# Compiled Python, which is not written to the clone.
export PYTHONPYCACHEPREFIX ?= $(LOAM_CACHE)/pycache

LISTEN ?= 127.0.0.1:8790
DATA ?= data
# The internal network that `make run` lets providers, tools and webhooks reach: this machine, for a local model server.
ALLOW_NETWORK ?= 127.0.0.0/8
SETUP := python3 scripts/setup.py
# Evaluated at use: the path depends on the pinned requirements.
TESTS_PYTHON = $$($(SETUP) path venv:tests)/bin/python
NODE = $$($(SETUP) path node-bin)
PYTHON_SOURCES = scripts tests crates/insight/corpus $(wildcard bench)

.PHONY: help
help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## ?/\1\t/' | expand -t 10

.PHONY: run
run: build ## build Loam and start it on its embedded database at http://127.0.0.1:8790 (LISTEN=, DATA=, ALLOW_NETWORK=)
	exec target/quick/loam serve --listen $(LISTEN) --data $(DATA) $(addprefix --allow-network ,$(ALLOW_NETWORK))

.PHONY: demo
demo: build ## start it with a real model of 135 M parameters, and print examples to paste
	@$(SETUP) check python
	@$(SETUP) venv model
	@exec python3 scripts/demo.py --listen $(LISTEN) --data $(DATA)

# Builds the binary with profile $(1), and copies it to target/$(1)/loam.
define build_binary
	@cargo build --profile $(1) --locked --bin loam
	@mkdir -p target/$(1)
	@cmp -s "$$CARGO_TARGET_DIR/$(1)/loam" target/$(1)/loam || install -m 755 "$$CARGO_TARGET_DIR/$(1)/loam" target/$(1)/loam
endef

.PHONY: console
console: ## build the console to target/console, which the binaries embed
	@$(SETUP) check python npm
	@$(SETUP) console

.PHONY: build
build: check-rust console ## build a binary for trying out at target/quick/loam: in less than half of the time, not fully optimized
	$(call build_binary,quick)

.PHONY: dist
dist: check-rust console ## build the optimized binary for production at target/release/loam
	$(call build_binary,release)

.PHONY: test
test: ready ## run all tests: Rust on both databases, stock clients, ledger, API, security
	@exec $(TESTS_PYTHON) scripts/run_tests.py $(ARGS)

.PHONY: clients
clients: check-rust ## run client applications (Claude Code, Codex, …) over strict providers, installed once (APPS=: only these)
	@$(SETUP) check npm
	@$(SETUP) venv tests
	@$(SETUP) node
	@cargo build --locked --bin loam
	@LOAM_BIN="$$CARGO_TARGET_DIR/debug/loam" exec $(TESTS_PYTHON) scripts/clients.py $(APPS)

.PHONY: soak
soak: ready ## run the long form of the tests on the optimized binary, with at least 100 rounds of kills
	@LOAM_LEDGER_ROUNDS=$${LOAM_LEDGER_ROUNDS:-100} LOAM_SOAK=1 exec $(TESTS_PYTHON) scripts/run_tests.py --release $(ARGS)

FUZZ_SECONDS ?= 60
FUZZ_TARGETS = json_body provider_stream otlp record_batch cursor form journal

.PHONY: fuzz
fuzz: check-rust ## fuzz every decoder of external input, then the API on both databases (FUZZ_SECONDS= each)
	@$(SETUP) venv tests fuzz
	@command -v cargo-fuzz >/dev/null || cargo install --locked --quiet cargo-fuzz
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p "$$LOAM_CACHE/fuzz/$$target"; \
		RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$$LOAM_CACHE/target-fuzz" cargo fuzz run "$$target" \
			"$$LOAM_CACHE/fuzz/$$target" "crates/fuzz/corpus/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=16384 -rss_limit_mb=4096 -print_final_stats=1; \
	done
	@cargo build --locked --bin loam
	@LOAM_BIN="$$CARGO_TARGET_DIR/debug/loam" $(TESTS_PYTHON) scripts/fuzz_api.py $(FUZZ_SECONDS)

.PHONY: bench
bench: dist ## measure the gateway beside nginx, LiteLLM and Portkey, conversations, insight beside Phoenix, the console (ARGS=--quick)
	@$(SETUP) check
	@$(SETUP) apt chromium-headless-shell
	@$(SETUP) venv tests
	@bash bench/setup.sh
	@cargo build --release --locked --bin loam-bench
	@python3 bench/run.py $(ARGS)
	@python3 bench/conversation.py $(if $(filter --quick,$(ARGS)),--quick)
	@python3 bench/insight.py $(if $(filter --quick,$(ARGS)),--quick)
	@exec $(TESTS_PYTHON) bench/console.py $(if $(filter --quick,$(ARGS)),--quick)

.PHONY: screenshots
screenshots: check-rust ## take pictures of every page of the console, to target/screenshots/index.html
	@$(SETUP) apt chromium-headless-shell
	@$(SETUP) venv tests
	@$(SETUP) console
	@cargo build --locked --bin loam
	@LOAM_BIN="$$CARGO_TARGET_DIR/debug/loam" $(TESTS_PYTHON) scripts/screenshots.py target/screenshots

.PHONY: docs
docs: check-rust ## generate the OpenAPI document, the data dictionary and the entity diagram below docs/
	@cargo build --quiet --locked --bin loam
	@"$$CARGO_TARGET_DIR/debug/loam" openapi > docs/openapi.json
	@"$$CARGO_TARGET_DIR/debug/loam" db docs docs

.PHONY: lint
lint: check-rust ## check formatting, lints, licenses and security advisories; change nothing
	@$(SETUP) venv tests audit
	@$(SETUP) console
	@$(TESTS_PYTHON) scripts/audit.py
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(TESTS_PYTHON) -m ruff check $(PYTHON_SOURCES)
	@$(TESTS_PYTHON) -m ruff format --check $(PYTHON_SOURCES)
	@node=$(NODE); cd console; $$node scripts/generate.mjs; $$node node_modules/typescript/bin/tsc --noEmit

.PHONY: fmt
fmt: check-rust ## format Rust and Python
	@$(SETUP) venv tests
	@cargo fmt --all
	@$(TESTS_PYTHON) -m ruff check --fix --quiet $(PYTHON_SOURCES)
	@$(TESTS_PYTHON) -m ruff format $(PYTHON_SOURCES)

.PHONY: check-rust
check-rust:
	@$(SETUP) check rust python

.PHONY: ready
ready:
	@$(SETUP) check
	@$(SETUP) apt pgbouncer chromium-headless-shell
	@$(SETUP) venv tests clients model
	@$(SETUP) node
	@$(SETUP) console
	@$(SETUP) app codex claude-code llm
