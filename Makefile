# Everything that a person or CI does with the project. `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST := Cargo.toml Cargo.lock $(shell find crates -name '*.rs' -o -name Cargo.toml)
SOURCES := $(RUST) pyproject.toml README.md LICENSE $(shell find python -name '*.py*' -not -path '*/__pycache__/*')

.DEFAULT_GOAL := help
MINUTES ?= 10
FUZZ_SECONDS ?= 60
QUICK_TESTS := tests/docs/test_invariants.py tests/docs/test_layers.py tests/compat/test_surface.py \
	tests/api/test_responses.py tests/api/test_names.py tests/api/test_busy.py \
	tests/api/test_by_value.py tests/cli/test_ps.py

.PHONY: help demo install develop test test-quick test-rust test-python wheel-windows test-windows lint lint-rust lint-python format bench bench-ray chaos fuzz docs pages pin clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: install  ## Build, install into .venv and run the quick start
	$(BIN)/python examples/quick_start.py

install: $(VENV)/.installed  ## Build the wheel and install it into .venv

develop: $(VENV)/.ready  ## Build without optimising much and let .venv use it and python/ where they are
	cargo build --locked -p bgpy-cli
	$(BIN)/maturin develop --locked --quiet
	cp target/debug/bgpy $(BIN)/bgpy
	rm -f $(VENV)/.installed

test: test-rust test-python  ## Run every test of both languages

test-quick: develop  ## Build what changed and run the tests that find most, in less than a minute
	cargo test --profile dev --locked -q -p bgpy-proto -p bgpy --lib -- --skip whatever_happens --skip fuzz
	$(BIN)/python -m pytest -q $(QUICK_TESTS)

test-rust:  ## Run the Rust tests
	cargo test --workspace --locked

test-python: install  ## Run the Python tests against the installed wheel
	$(BIN)/python -m pytest

wheel-windows: $(VENV)/.ready  ## Cross-build the wheel for Windows into .systems/windows/dist
	$(BIN)/python systems/windows/prepare.py build
	$(BIN)/python systems/windows/build.py

test-windows: wheel-windows  ## Run the tests of both languages as Windows programs, on Wine
	$(BIN)/python systems/windows/prepare.py run
	$(BIN)/python systems/windows/rust_tests.py
	$(BIN)/python systems/windows/python_tests.py

lint: lint-rust lint-python  ## Run all linters

lint-rust:  ## rustfmt, clippy and rustdoc, warnings denied; licences and advisories of crates
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	if command -v cargo-deny; then cargo deny --locked check; \
		else echo "cargo-deny is not installed: the crates are not checked"; fi

lint-python: install  ## ruff, mypy --strict and stubtest
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest bgpy._bgpy bgpy.interface

pages: develop  ## Write the options of the commands into docs/commands, and docstrings into the stubs
	BGPY_WRITE_PAGES=1 cargo test --profile dev -q -p bgpy-cli --lib --locked pages::
	BGPY_WRITE_STUBS=1 $(BIN)/python -m pytest -q tests/package/test_stubs.py

format:  ## Format the sources of both languages
	cargo fmt --all
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: $(VENV)/.installed .bench/.ready  ## Measure against raw echoes and peers; writes docs/benchmarks.md
	cargo bench -q -p bgpy --bench round_trip --no-run
	.bench/venv/bin/python -m pip install -q --force-reinstall --no-deps dist/*.whl
	test ! -e .bench/ray/.ready || .bench/ray/bin/python -m pip install -q --force-reinstall --no-deps dist/*.whl
	.bench/venv/bin/python benches/run.py $(BENCH)

bench-ray: .bench/ray/.ready  ## Measure large arrays beside Ray, which `make bench` then does too
	$(MAKE) bench BENCH="--only ray $(BENCH)"

chaos: install  ## Simulate 100,000 seeds, try real servers for MINUTES=10; writes docs/reliability.md
	cargo test --locked -q -p bgpy --lib --no-run
	$(BIN)/python benches/chaos.py --minutes $(MINUTES)

fuzz:  ## Fuzz every decoder for FUZZ_SECONDS=60 each and keep what is found (needs cargo-fuzz and nightly)
	for target in frame handshake payload session; do \
		rm -rf fuzz/corpus/$$target && \
		$(PYTHON) fuzz/corpora.py unpack $$target fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) && \
		cargo +nightly fuzz cmin $$target && \
		$(PYTHON) fuzz/corpora.py pack $$target fuzz/corpus/$$target || exit 1; \
	done

docs: $(VENV)/.installed .site/.ready  ## Build the documentation site into .site/html, warnings denied
	.site/venv/bin/python -m pip install -q --force-reinstall --no-deps dist/*.whl
	.site/venv/bin/python docs/site/build.py

pin:  ## Renew the exact versions of the requirements files (needs uv)
	for file in requirements-dev docs/site/requirements; do \
		uv pip compile -q --universal --upgrade --python-version 3.11 $$file.in -o $$file.txt || exit 1; \
	done

clean:  ## Remove what was built and installed
	rm -rf target dist $(VENV) .bench .site .systems fuzz/target

$(VENV)/.ready: requirements-dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "CPython 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	touch $@

$(VENV)/.installed: $(VENV)/.ready $(SOURCES) packaging/native_command.py
	rm -rf dist
	cargo build --release --locked -p bgpy-cli
	$(BIN)/maturin build --release --locked --interpreter $(BIN)/python --out dist
	$(BIN)/python packaging/native_command.py dist/*.whl target/release/bgpy
	$(BIN)/python -m pip install -q --force-reinstall --no-deps dist/*.whl
	touch $@

.site/.ready: docs/site/requirements.txt
	$(PYTHON) -m venv .site/venv
	.site/venv/bin/python -m pip install -q -r docs/site/requirements.txt
	touch $@

.bench/ray/.ready: benches/requirements-ray.txt
	$(PYTHON) -m venv .bench/ray
	.bench/ray/bin/python -m pip install -q -r benches/requirements-ray.txt
	touch $@

.bench/.ready: benches/requirements.txt benches/requirements-old.txt
	$(PYTHON) -m venv .bench/venv
	.bench/venv/bin/python -m pip install -q -r benches/requirements.txt
	$(PYTHON) -m venv .bench/old
	.bench/old/bin/python -m pip install -q -r benches/requirements-old.txt
	touch $@
