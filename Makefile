# Two commands do everything on a fresh machine: `make up` and `make test`. `make help` lists the others.
PYTHON ?= python3
BIN := .venv/bin
USINE := bin/usine
WORKERS ?= 2
SEED ?= $(shell date -u +%Y%m%d)
.DEFAULT_GOAL := help
.PHONY: help venv venv-dev plan check up down reset test test-fast test-lab lint types bench release-check lock clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (found $$($(PYTHON) --version)); set PYTHON=..." >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	@echo "Installing the Python packages the program needs..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.txt
	@ln -sf ../../bin/usine $(BIN)/usine
	@touch $@

.venv/dev: requirements-dev.txt lab/pyproject.toml .venv/runtime
	@echo "Installing what the local platform and the tests need..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e lab
	@# Every plugin and program is a Python process of its own: compiled once, also where PYTHONDONTWRITEBYTECODE is set.
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null || true
	@touch $@

venv: .venv/runtime  ## Python environment: enough for `usine check`, `usine plan`
venv-dev: .venv/dev  ## Python environment with the local platform and the tests

check: venv  ## Check every tenant file
	@$(USINE) check

plan: venv  ## What the sample tenants would become, offline, Python only
	@$(USINE) plan

up: venv-dev  ## Start the local platform and make it what projects.d says
	@$(USINE) lab up
	@$(USINE) up --stack lab

down: venv-dev  ## Stop the local platform, keep its data
	@$(USINE) lab down

reset: venv-dev  ## Stop the local platform and delete its data
	@$(USINE) lab reset --yes

lint: venv-dev  ## Lint, format check, import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: venv-dev  ## Strict type check
	@$(BIN)/mypy

# In random order, the same all day: SEED=... repeats one. Two workers: one has the platform's servers, the other the rest.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --random-order --random-order-seed=$(SEED)

test: lint types  ## Everything: lint, types, unit, contract, engine tests on real servers
	@$(PYTEST)

test-fast: venv-dev  ## The product's tests that need no server
	@$(PYTEST) tests --ignore=tests/engine -m "not servers"

test-lab: venv-dev  ## The local platform's own tests that need no server of it
	@$(PYTEST) lab/tests -m "not servers"

bench: venv-dev  ## Benchmarks: figures and curves, no verdict
	@$(BIN)/python -m benchmarks

release-check: venv-dev  ## Say whether this version may be tagged, and build its wheel
	@$(BIN)/python -m release

lock: venv  ## Lock requirements*.in again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet requirements-dev.in -o requirements-dev.txt

clean: down  ## Remove the local platform and the Python environment
	rm -rf .lab .lab-* .venv out
