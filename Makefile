.DEFAULT_GOAL := help
.PHONY: help install sweep test test-long lint docs tables
PYTHON ?= python3
RUN := .venv/bin/python
PYTEST := OMP_NUM_THREADS=1 $(RUN) -m pytest -q -n auto --dist loadfile

help:  ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 11

install: .venv/installed  ## install into .venv what all of this needs

sweep: .venv/installed  ## train all 34 representations on the demo data and print the table
	$(RUN) -m sweep +grid=all

test: .venv/installed  ## run the tests, but those that take long
	$(PYTEST) -m "not long"

test-long: .venv/installed  ## run the tests that take long
	$(PYTEST) -m long

lint: .venv/installed  ## check style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

docs: .venv/installed  ## build the documentation into site/, without a network
	$(RUN) -m mkdocs build --strict --quiet

tables: .venv/installed  ## the paper's tables with our figures beside its own, from what has been measured
	$(RUN) -m experiments.paper.tables

.venv/installed: pyproject.toml constraints.txt
	test -x $(RUN) || $(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -c constraints.txt -e '.[test,docs]'
	touch $@
