# On a machine with Rust and Python 3.10 or newer: `make demo` shows what the project does, `make test` tests it.
# Everything else that is needed comes with them: Python packages at their pinned versions, into .venv.

PYTHON ?= python3
VENV ?= $(CURDIR)/.venv
OFFICIAL_VENV ?= $(CURDIR)/.venv-official
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv install --quiet

# The same for every build, so that cargo builds PyO3 once for all of them.
export PYO3_PYTHON := $(BIN)/python
export PYO3_BUILD_EXTENSION_MODULE := 1
export VIRTUAL_ENV := $(VENV)

# How long `make fuzz` tries each target.
FUZZ_SECONDS ?= 30

.PHONY: help packages demo test test-rust test-fuzz test-python test-official test-instrumentations test-pythons lint lint-rust lint-python bench fuzz models mutants sanitize torture extension wheel clean

help:
	@echo "make demo      run a web application, kill it, and read what its recording still holds"
	@echo "make test      run every test, Rust and Python"
	@echo "make test-instrumentations  the tests of the official instrumentations, under this SDK (minutes)"
	@echo "make test-pythons  the Python tests and the official SDK's on each of Python 3.10 to 3.13 that is there, or on PYTHONS"
	@echo "make lint      formatting, clippy, ruff, types and stubs"
	@echo "make bench     nanoseconds a call, beside the floor of this machine"
	@echo "make fuzz      every fuzz target for FUZZ_SECONDS ($(FUZZ_SECONDS))"
	@echo "make torture   100,000 kills and a kill at every instruction; the figures go to torture/RESULTS.md"
	@echo "make models    the writer's protocols under every interleaving of the model checker loom"
	@echo "make mutants   each fence and ordering of SPEC 12 taken away: a model must fail (minutes)"
	@echo "make sanitize  the tests of writer and reader under the address sanitizer, threads under the thread sanitizer"
	@echo "make wheel     build the Python package into target/wheels"

# The Python packages alone: what the Dockerfile puts into its image.
packages: $(VENV)/.test

demo: $(VENV)/.demo extension
	cd python && $(BIN)/python -m demo $(CURDIR)/demo-out

test: test-rust test-fuzz test-python test-official

test-rust:
	cargo test --workspace --exclude otlp-mmap-python

# What the fuzz targets expect, on what they once found and on a few inputs more.
test-fuzz:
	cargo test --manifest-path fuzz/Cargo.toml

test-python: $(VENV)/.test extension
	cd python && $(BIN)/python -m pytest
	cd format-spec && $(BIN)/python -m unittest discover -q -s second_reader/tests -t .

# The official SDK's own tests against ours, and ten programs under both: the same OTLP. The sources of the tests are
# downloaded into target/official; they need packages that nothing else here may meet, so they have their own venv.
test-official: $(OFFICIAL_VENV)/.ready extension
	cd python && PYTHONPATH=python $(OFFICIAL_VENV)/bin/python -m tests.official sdk
	cd python && PYTHONPATH=python $(OFFICIAL_VENV)/bin/python -m tests.equivalence

# The tests of the official instrumentations, under ours.
test-instrumentations: $(OFFICIAL_VENV)/.ready extension
	cd python && PYTHONPATH=python $(OFFICIAL_VENV)/bin/python -m tests.official instrumentations

# The Python tests and the official SDK's, on each of the Pythons: commands or paths. None named: 3.10 to 3.13, if found.
PYTHONS ?=
test-pythons:
	PYTHONPATH=python $(PYTHON) -m tests.pythons $(PYTHONS)

lint: lint-rust lint-python

lint-rust: $(VENV)/.demo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --manifest-path fuzz/Cargo.toml --all-targets -- -D warnings

lint-python: $(VENV)/.test extension
	cd python && $(BIN)/ruff check . && $(BIN)/ruff format --check .
	cd python && $(BIN)/mypy
	cd python && $(BIN)/python -m mypy.stubtest otlp_mmap._native

bench:
	cargo bench -p otlp-mmap-writer --bench recording

fuzz:
	fuzz/run.sh -j 2 $(FUZZ_SECONDS)

torture:
	torture/run.sh
	cargo test --package otlp-mmap-torture --test faults -- --include-ignored

# What the models depend on is built for them alone, into a target directory of their own.
models:
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=$(CURDIR)/target/loom \
		cargo test --profile models -p otlp-mmap-writer --lib -- models:: --nocapture

mutants:
	$(PYTHON) -B torture/mutants/run.py

sanitize:
	torture/sanitize.sh thread
	torture/sanitize.sh address

# The extension module, built into python/python/otlp_mmap and installed in place.
extension: $(VENV)/.demo
	cd python && $(BIN)/maturin develop --quiet

wheel: $(VENV)/.demo
	cd python && $(BIN)/maturin build --release --out $(CURDIR)/target/wheels

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: python/requirements/demo.txt | $(VENV)/bin/python
	$(PIP) -r $<
	@touch $@

$(VENV)/.test: python/requirements/test.txt $(VENV)/.demo
	$(PIP) -r $<
	@touch $@

# Without dependencies: python/requirements/official.txt says why.
$(OFFICIAL_VENV)/.ready: python/requirements/official.txt
	$(PYTHON) -m venv $(OFFICIAL_VENV)
	$(OFFICIAL_VENV)/bin/python -m pip --disable-pip-version-check --require-virtualenv install --quiet --no-deps -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(OFFICIAL_VENV) demo-out target python/python/otlp_mmap/*.so
