# Every command of the project. A fresh machine needs Python 3.11, 3.12 or 3.13 and make; nothing has to be
# activated or exported. The virtual environment is made on first use and renewed when a lock changes: what
# runs the product needs requirements.lock alone, what develops it requirements-dev.lock.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PYTHON := $(BIN)/python
# The command `throughline`, of this checkout whatever checkout it was installed from.
THROUGHLINE := $(PYTHON) -m orchestration
# A copy of the lock that was installed last.
INSTALLED := $(VENV)/installed.lock
WORKERS ?= auto
PORT ?= 3000
ARGS ?=

# Telemetry is off for whatever a target starts, before any settings are read.
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: help setup run rebuild test spark-setup test-spark verify status ui serve check bench sample snapshot pictures vendor lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## load what is new, build, check, publish
	@$(THROUGHLINE) run

rebuild: setup ## drop everything but the raw tables and build again
	@$(THROUGHLINE) rebuild

verify: setup ## compare the published files with their checksums
	@$(THROUGHLINE) verify

status: setup ## how things stand: the last good version, what waits, what failed and what to do
	@$(THROUGHLINE) status

# One file, one worker, the longest first (tests/conftest.py): files share costly fixtures.
test: setup-dev ## all tests but those that start Spark
	@if [ -f tests/publishing/node/package-lock.json ] && command -v npm >/dev/null; then \
		npm ci --ignore-scripts --no-audit --no-fund --silent --prefer-offline \
			--fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 --prefix tests/publishing/node \
			|| echo "npm could not install the Node client: its tests are skipped"; \
	fi
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile --ignore tests/spark $(ARGS)

# Beside the others, whatever lock they came from.
spark-setup: ## install Apache Spark for ENGINE=spark (needs Java; 0.9 GB)
	@test -x $(PYTHON) || $(MAKE) setup
	@cmp -s requirements-spark.lock $(VENV)/installed-spark.lock || { \
		echo "Installing Apache Spark; this takes a minute"; \
		$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
			--no-build-isolation -r requirements-spark.lock && \
		cp requirements-spark.lock $(VENV)/installed-spark.lock; }

test-spark: setup-dev spark-setup ## the tests of Spark: a quarter of an hour
	@$(PYTHON) -m pytest tests/spark $(ARGS)

ui: setup ## Dagster's user interface, at http://127.0.0.1:3000/runs (PORT=3000)
	@exec $(THROUGHLINE) ui --port $(PORT)

serve: setup ## the REST resource and the pages, at http://127.0.0.1:8000 (SERVE_PORT)
	@exec $(THROUGHLINE) serve $(ARGS)

check: setup-dev ## linters and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTHON) -m orchestration.lint
	$(PYTHON) -m pytest -q tests/project/test_spark_sql.py

bench: setup-dev ## the benchmarks
	@$(PYTHON) -m bench $(ARGS)

sample: setup-dev ## write sample logs with a ground truth (ARGS="--help")
	@$(PYTHON) -m seeds.generator $(ARGS)

snapshot: setup-dev ## rewrite tests/orchestration/asset_graph.txt; review its diff
	@$(PYTHON) -m tests.orchestration.asset_graph

pictures: setup-dev ## the pictures of the README, from the published sample (needs Chromium)
	@$(PYTHON) -m orchestration.pictures $(ARGS)

vendor: ## copy the browser libraries of serving/static/vendor/package-lock.json again (needs npm)
	@cd serving/static/vendor && npm ci --ignore-scripts --no-audit --no-fund --silent && \
		cp node_modules/echarts/dist/echarts.min.js node_modules/htmx.org/dist/htmx.min.js \
			node_modules/swagger-ui-dist/swagger-ui-bundle.js \
			node_modules/swagger-ui-dist/swagger-ui.css . && \
		rm -rf node_modules && sha256sum *.js *.css > SHA256SUMS

# The second is resolved within the first, so that both name the same versions.
RESOLVE = $(VENV)/uv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-header --quiet \
	--no-emit-package dbt-core-experimental-parser
lock: setup-dev ## resolve pyproject.toml into both locks again (needs a package index)
	@test -x $(VENV)/uv/bin/uv || { \
		$(PYTHON) -m venv $(VENV)/uv && $(VENV)/uv/bin/python -m pip install --quiet uv; }
	@$(RESOLVE) --group dev --output-file requirements-dev.lock
	@$(RESOLVE) --group run --constraints requirements-dev.lock --output-file requirements.lock
	@$(RESOLVE) --group spark --no-deps --output-file requirements-spark.lock

clean: ## remove what runs and tests wrote; the warehouse and the virtual environment stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs logs
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

setup: ## install what runs the product into .venv, and the command throughline
	@cmp -s requirements.lock $(INSTALLED) || cmp -s requirements-dev.lock $(INSTALLED) \
		|| $(MAKE) install LOCK=requirements.lock
	@test -e $(VENV)/lib/python3*/site-packages/throughline.pth || $(PYTHON) -m orchestration.terminal

# Holds what runs the product too.
.PHONY: setup-dev
setup-dev:
	@cmp -s requirements-dev.lock $(INSTALLED) || $(MAKE) install LOCK=requirements-dev.lock

# --no-deps: dbt-core asks for a parser that this project does not use and whose build leaves the index.
.PHONY: install
install: LOCK ?= requirements.lock
install:
	@found=; for candidate in python3.11 python3.12 python3.13 python3 python; do \
		if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
			2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed, and none is on PATH: install one and try again." >&2; \
		exit 1; \
	fi; \
	if [ ! -x $(PYTHON) ]; then \
		echo "Setting up $(VENV) with $$("$$found" --version), once; this takes a minute"; \
		"$$found" -m venv $(VENV) || { rm -rf $(VENV); \
			echo "Python's venv module does not work: install it (Debian: python3-venv)." >&2; exit 1; }; \
	else \
		echo "Bringing $(VENV) up to $(LOCK)"; \
	fi; \
	$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --require-hashes \
		-r $(LOCK); \
	$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	$(PYTHON) -m orchestration.terminal; \
	cp $(LOCK) $(INSTALLED)
