# Everything lives in .venv; a second run of a target that is up to date starts at once.

PYTHON ?= python3
TORCH ?= torch==2.13.0

VENV := .venv
BIN := $(VENV)/bin
LOG := $(VENV)/install.log
PIP := $(BIN)/python -m pip --disable-pip-version-check install
TYPES := tests/browser/types
TSC := $(TYPES)/node_modules/.bin/tsc
MODEL := src/spadework/models/landscape.safetensors

# $(call quietly,command): its output goes to the log, and to the screen only when it fails
quietly = $(1) >>$(LOG) 2>&1 || { tail -n 30 $(LOG); echo "setting up failed, all of its output is in $(LOG)"; exit 1; }

.DEFAULT_GOAL := help
.PHONY: help paint studio site book figures test types soak docs clean

help:
	@echo "make paint    photographs of the example sketches, in out/"
	@echo "make studio   paint in the browser"
	@echo "make site     the studio for any static host, in site/"
	@echo "make test     lint, types and tests"
	@echo "make soak     the long tests"
	@echo "make docs     write what in docs/ is made from the code anew"
	@echo "make figures draw docs/figures anew"
	@echo "make book     the pages of docs/ as a website to read, in book/"
	@echo "make clean    remove .venv, out/, what was built and caches"

paint: $(VENV)/.installed
	@test -f $(MODEL) || { echo "$(MODEL) is missing: get the whole repository"; exit 1; }
	@echo "painting the sketches of examples/sketches"
	@$(BIN)/spadework paint examples/sketches --out out --model landscape --seed 0
	@echo "now draw your own in the browser: make studio"

studio: $(VENV)/.installed
	@test -f $(MODEL) || { echo "$(MODEL) is missing: get the whole repository"; exit 1; }
	@$(BIN)/spadework studio --model landscape

site: $(VENV)/.installed-dev
	@test -f $(MODEL) || { echo "$(MODEL) is missing: get the whole repository"; exit 1; }
	@$(BIN)/spadework studio --export site

# One thread, and as many processes as cores: the networks of the tests are tiny, and threads that wait for each other
# on a busy machine are slow.
test soak: export OMP_NUM_THREADS ?= 1

test: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(MAKE) --no-print-directory types
	@$(BIN)/python -m pytest -rs -m "not soak" -n auto --dist loadfile

# Of the page's JavaScript, which is served as it lies there.
types:
	@if ! command -v npm >/dev/null; then echo "npm is not there: the types of the studio's page are not checked"; \
	elif ! { test -x $(TSC) || npm ci --silent --prefix $(TYPES); }; then \
		echo "npm cannot fetch TypeScript: the types of the studio's page are not checked"; \
	else $(TSC) -p $(TYPES) && echo "the types of the studio's page fit"; fi

soak: $(VENV)/.installed-dev
	@$(BIN)/python -m pytest -rs -m soak

docs: $(VENV)/.installed-dev
	@$(BIN)/python tests/test_docs.py
	@$(BIN)/python tests/licences.py

figures: $(VENV)/.installed-dev
	@$(BIN)/python docs/figures/figures.py

book: $(VENV)/.installed-dev
	@$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs book
	@echo "the book: book/index.html"

clean:
	rm -rf $(VENV) out site book build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path "./.git/*" -prune -exec rm -rf {} +

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or newer, or name yours: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "$(PYTHON) is `$(PYTHON) --version 2>&1`, spadework needs 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "making the environment $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "no virtual environment: on Debian and Ubuntu type apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.torch: $(VENV)/.python
	@echo "installing $(TORCH), the largest part"
	@$(call quietly,$(PIP) "$(TORCH)")
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	@echo "installing spadework"
	@$(call quietly,$(PIP) -e .)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.torch
	@echo "installing spadework and what its tests need"
	@$(call quietly,$(PIP) -e ".[dev]")
	@touch $@ $(VENV)/.installed
