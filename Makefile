# Everything runs from a virtual environment that the first target to need it creates.
# make help lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Run from the folder that make is in: a moved or copied .venv still names the one it was made in.
HOLDFAST := $(BIN)/python -m pipelines.cli

PEERS_VENV := benchmarks/.venv
PEERS := $(PEERS_VENV)/.installed

# A .venv that came along when the folder was moved or copied is made anew.
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
.PHONY: $(INSTALLED)
ANEW := --clear
endif

.DEFAULT_GOAL := help
.PHONY: help install demo up down test test-poolers test-browser test-beside test-wheel test-busy trial faults bench bench-quick bench-sql lint format constraints docs clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' \
		| awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

install: $(INSTALLED) ## set up .venv with the pinned versions (the others do it when needed)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Holdfast needs Python 3.11 or newer; $(PYTHON) is not." \
		"Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(ANEW) $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (a minute, once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	@test -e targets.yaml || { cp targets.example.yaml targets.yaml && \
		echo "Made targets.yaml from targets.example.yaml: put what you want to watch into it."; }
	@echo "$(CURDIR)" > $@

demo: $(INSTALLED) ## three rounds of snapshots of a small moving world, and what changed
	@$(HOLDFAST) demo

# A shell with job control gives `holdfast up` the terminal to itself: Ctrl-C reaches it alone, and
# make does not report an interrupt that went as it should.
up: $(INSTALLED) ## Postgres, Dagster and its schedules until Ctrl-C; DEMO=1: on a small moving world
	@if [ -t 0 ]; then set -m; fi; $(HOLDFAST) $(if $(filter-out 0,$(DEMO)),--demo) up

down: ## stop what make up runs, also the demo's, and both Postgres servers
	@if [ -x $(BIN)/python ]; then \
		printf 'Yours: ' >&2; $(HOLDFAST) down; own=$$?; \
		printf 'The demo: ' >&2; $(HOLDFAST) --demo down && exit $$own; \
	else echo "Nothing is installed in this folder, so nothing of it runs." >&2; fi

test: $(INSTALLED) ## the whole test suite, on a Postgres of its own (or on DATABASE_URL)
	@$(BIN)/python -m pytest

test-poolers: $(INSTALLED) ## the tests behind a real pgbouncer (apt-get install pgbouncer)
	@$(BIN)/python -m pytest -m poolers tests/poolers

test-browser: $(INSTALLED) ## Dagster's pages in a real browser (apt-get install chromium)
	@$(BIN)/python -m pytest -n 0 -m browser tests/browser

BESIDE := tests/beside/.venv

test-beside: $(INSTALLED) ## Holdfast in a Dagster on Postgres (installs dagster-postgres, apart)
	@$(PYTHON) -m venv --clear $(BESIDE)
	@$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > \
		"$$($(BESIDE)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@$(BESIDE)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		dagster-postgres==0.29.27 psycopg2-binary==2.9.13
	@$(BESIDE)/bin/python -m pytest -n 0 -m beside tests/beside

test-wheel: $(INSTALLED) ## build the wheel, and use it where the checkout is out of reach (a minute)
	@$(BIN)/python -m pytest -n 0 -m wheel tests/end_to_end/test_wheel.py

test-busy: $(INSTALLED) ## the tests that wait, on a busy machine, ten times in a row; ROUNDS=3 for fewer
	@$(BIN)/python -m tests.busy $(if $(ROUNDS),--rounds $(ROUNDS)) $(TESTS)

trial: $(INSTALLED) ## the proofs in worlds that change under them, 90 minutes, then again to go on; WALKS=500 MINUTES=10
	@$(BIN)/python -m pipelines.trials $(if $(WALKS),--walks $(WALKS)) $(if $(MINUTES),--minutes $(MINUTES))

faults: $(INSTALLED) ## every fault that a provider can show, and what becomes of it (2 minutes)
	@$(BIN)/python -m pipelines.trials.faults

bench: $(INSTALLED) $(PEERS) ## Holdfast beside dlt and beside the floors, everything (about an hour)
	@$(BIN)/python -m benchmarks

bench-quick: $(INSTALLED) $(PEERS) ## the same, small (5 minutes)
	@$(BIN)/python -m benchmarks --quick

bench-sql: $(INSTALLED) ## what analysts ask of millions of rows, with every plan (10 minutes)
	@$(BIN)/python -m benchmarks.sql

# The peers live in a virtual environment of their own: the project depends on none of them.
$(PEERS): $(INSTALLED) benchmarks/constraints.txt
	@echo "Installing the benchmark's peers into $(PEERS_VENV) (once) ..."
	@$(PYTHON) -m venv --clear $(PEERS_VENV)
	@$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement benchmarks/constraints.txt
	@touch $@

lint: $(INSTALLED) ## formatting, lint rules and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(INSTALLED) ## apply the formatter and the fixes that are safe
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

constraints: ## pin the newest versions that work together
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' 'sqlalchemy<2.1' 'dagster<1.13.28'
	@{ echo "# Exact versions of everything that make installs; update with: make constraints"; \
		$(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt
	@echo "$(CURDIR)" > $(INSTALLED)

docs: $(INSTALLED) ## what is written from code: configuration.md, .env.example, data-dictionary.md
	@$(BIN)/python -m pipelines.settings_reference
	@$(BIN)/python -m pipelines.analysis.dictionary

HOME_FOLDER = $${HOLDFAST_HOME:-.holdfast}

clean: down ## stop all; remove .venv, caches and the demo's data, never yours
	@rm -rf $(VENV) $(PEERS_VENV) $(BESIDE) benchmarks/.scratch .mypy_cache .pytest_cache .ruff_cache .hypothesis dist "$(HOME_FOLDER)/demo"
	@find pipelines tests sql benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d "$(HOME_FOLDER)/postgres" ]; then \
		echo "Your data is kept, in $(HOME_FOLDER)/postgres. To lose it: rm -r $(HOME_FOLDER)"; fi
