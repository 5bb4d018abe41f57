# On a fresh machine, `make up` and `make test` install everything that they need. `make help` lists all targets.
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
	@# Each plugin and program starts its own Python process. Compiling once makes all starts faster, also with PYTHONDONTWRITEBYTECODE.
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null || true
	@touch $@

venv: .venv/runtime  ## Create the Python environment for `usine check`, `usine plan`
venv-dev: .venv/dev  ## Create the Python environment with the local platform and the tests

check: venv  ## Check every tenant file
	@$(USINE) check

plan: venv  ## Show what the sample tenants become, offline, Python only
	@$(USINE) plan

up: venv-dev  ## Start the local platform and apply projects.d to it
	@$(USINE) lab up
	@$(USINE) up --stack lab

down: venv-dev  ## Stop the local platform, keep its data
	@$(USINE) lab down

reset: venv-dev  ## Stop the local platform and delete its data
	@$(USINE) lab reset --yes

lint: venv-dev  ## Check lint, format and import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: venv-dev  ## Check types strictly
	@$(BIN)/mypy

# Random order with the date as seed; SEED=... repeats one. With two workers, one runs the tests with servers, the other the rest.
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --random-order --random-order-seed=$(SEED)

test: lint types  ## Run everything: lint, types, unit, contract, engine tests on real servers
	@$(PYTEST)

test-fast: venv-dev  ## Run the product's tests that need no server
	@$(PYTEST) tests --ignore=tests/engine -m "not servers"

test-lab: venv-dev  ## Run the local platform's own tests that need no server
	@$(PYTEST) lab/tests -m "not servers"

bench: venv-dev  ## Run the benchmarks: figures and curves, no pass or fail
	@$(BIN)/python -m benchmarks

release-check: venv-dev  ## Check that this version may be tagged, and build its wheel
	@$(BIN)/python -m release

lock: venv  ## Lock requirements*.in (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet requirements.in -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --quiet requirements-dev.in -o requirements-dev.txt

clean: down  ## Remove the local platform and the Python environment
	rm -rf .lab .lab-* .venv out
