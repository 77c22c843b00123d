# Everything runs from a virtual environment that the first target to need it creates.
# make help lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format constraints

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' \
		| awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

install: $(INSTALLED) ## set up .venv with the pinned versions (the others do it when needed)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Holdfast needs Python 3.11 or newer; $(PYTHON) is not." \
		"Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(INSTALLED) ## three rounds of snapshots of a small moving world, and what changed
	@$(BIN)/holdfast demo

test: $(INSTALLED) ## the whole test suite, on a Postgres of its own (or on DATABASE_URL)
	@$(BIN)/python -m pytest

lint: $(INSTALLED) ## formatting, lint rules and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(INSTALLED) ## apply the formatter and the fixes that are safe
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

constraints: ## pin the newest versions that work together
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@{ echo "# Exact versions of everything that make installs; update with: make constraints"; \
		$(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt
	@touch $(INSTALLED)
