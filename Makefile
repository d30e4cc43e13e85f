# Two commands for a fresh machine with Python 3.11 or newer:
#   make quickstart   sets up .venv, runs the quickstart suite and prints its table
#   make test         sets up .venv, checks style and types, runs the tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What the built-in suites need is installed: YOLO's extra (AGPL-3.0, see the README's licences), the associators' extra,
# and OpenCV's contrib build for CSRT, KCF and selective search. That one shares its files with opencv-python: it comes last.

# Real public data, where it lies beside the checkout; without it the tests that need it are skipped, visibly.
ifneq ($(wildcard ../shared/data/INDEX.md),)
export CVBENCH_DATA ?= $(abspath ../shared/data)
endif

.PHONY: quickstart test check pytest clean

quickstart: $(VENV)/.installed
	$(BIN)/cvbench run quickstart

test: check pytest

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pytest: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("cvbench needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[yolo,tracking]'
	$(BIN)/pip install --quiet --constraint constraints.txt --force-reinstall --no-deps opencv-contrib-python
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
