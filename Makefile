# What a contributor types. `make setup` first; `PYTHON=python3.13 make setup` chooses the Python.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup test slow lint docs tables

setup:  ## The environment in .venv, with the versions that CI tests, and the commit hooks.
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c docker/constraints.txt -e ".[test,docs]"
	$(BIN)/pre-commit install

test:  ## The tests, two at a time.
	$(BIN)/python -m pytest -n 2 --dist=loadfile

slow:  ## The slow tests: about half an hour on two cores.
	$(BIN)/python -m pytest -m slow

lint:  ## Format, lint, types, import layers, BUILD, tables.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.build_file --check
	$(BIN)/python -m tools.render --check

docs:  ## The documentation's site, in site/.
	$(BIN)/mkdocs build --strict

tables:  ## The tables of README and docs, from benchmarks/results/.
	$(BIN)/python -m tools.render
