# The commands you need: make run, make test, make check. Each first installs its dependencies.
PORT ?= 8000
RECEIVER_PORT ?= $(shell expr $(PORT) + 1)
DEMO ?= 1
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup run test check format clean
.DEFAULT_GOAL := help

help: ## Show the available targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1	/'

setup: .venv/installed ## Create .venv and install cotadmin's dependencies

run: setup ## Start cotadmin with its database, a worker and a demo (PORT=8000, DEMO=0 for an empty start)
	@FORCE_HTTPS=$${FORCE_HTTPS:-0} AUTO_GENERATE_KEYS=$${AUTO_GENERATE_KEYS:-1} $(BIN)/python manage.py run_all --port $(PORT) --receiver-port $(RECEIVER_PORT) $(if $(filter 0,$(DEMO)),--no-demo)

test: .venv/installed-dev ## Run all tests, with a real PostgreSQL and a real browser
	@$(BIN)/python -m cotadmin.tests.browser
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

check: .venv/installed-dev ## Check style, types, layers, words, templates and migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy cotadmin logs benchmarks
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python -m cotadmin.tests.words
	$(BIN)/djlint templates --lint --quiet
	AUTO_GENERATE_KEYS=1 $(BIN)/python manage.py makemigrations --check --dry-run
	AUTO_GENERATE_KEYS=1 $(BIN)/python manage.py check --fail-level WARNING

format: .venv/installed-dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the virtual environment (your data under var/ stays)
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "cotadmin needs Python 3.11 or newer; set PYTHON=python3.12, for example."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/installed: .venv/bin/python requirements.txt
	@echo "Installing what cotadmin runs on into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	@echo "Installing what the tests need into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
