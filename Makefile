# make demo, make test: each sets up .venv from pyproject.toml and constraints.txt, then runs. `make help` tells the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# What an installation depends on: nothing is installed again before one of these changes.
RECIPE := pyproject.toml constraints.txt hatch_build.py
# A file of tests to one process, the long files first; one process more than there are cores, since tests of a cluster wait.
TESTERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
SHARED_OUT = -n $(TESTERS) --dist loadfile --no-loadscope-reorder
# What one process has compiled, the next ones find: tests start a hundred of them.
unexport PYTHONDONTWRITEBYTECODE
headline = @printf '\n== %s\n' "$(1)"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint pytest docs wheel bench slow coverage clean

help:
	@echo 'make demo    make NanoAOD files with a hidden signal, scan them, write the report (demo/report/index.html)'
	@echo 'make test    all that a pull request has to pass: lint, docs, pytest, wheel'
	@echo 'make lint    style, types, import rules, what Scientific Python expects of a project'
	@echo 'make docs    the documentation, as pages in build/docs'
	@echo 'make pytest  the tests but the slow ones, on all cores'
	@echo 'make wheel   the wheel, used in a clean environment (WHEEL=--download: with requirements from the index)'
	@echo 'make bench   the benchmarks'
	@echo 'make slow    what make test leaves out: long calibration studies, notebooks that compute for long'
	@echo 'make coverage  all tests, the slow ones too, and which lines none of them reaches'
	@echo 'make clean   remove everything that make made, $(VENV) included'
	@echo 'PYTHON=python3.12 make ... takes another Python (>= 3.11); run make clean first'

demo: $(VENV)/.stamp-demo
	$(BIN)/coffea-ddp demo -o demo

# Lint, documentation and wheel beside the tests, which are what takes long: what they say comes when they are done.
BESIDE := lint docs wheel

test: $(VENV)/.stamp-test
	@said=$$(mktemp); { $(MAKE) --no-print-directory $(BESIDE) >"$$said" 2>&1 || touch "$$said.failed"; cat "$$said"; } & \
	  $(MAKE) --no-print-directory pytest; passed=$$?; wait; \
	  if [ -e "$$said.failed" ]; then echo "failed: $(BESIDE)" >&2; passed=1; fi; \
	  rm -f "$$said" "$$said.failed"; exit $$passed

lint: $(VENV)/.stamp-test
	$(call headline,ruff check)
	$(BIN)/ruff check .
	$(call headline,ruff format)
	$(BIN)/ruff format --check .
	$(call headline,mypy)
	$(BIN)/mypy
	$(call headline,import-linter)
	$(BIN)/lint-imports --no-cache --no-logo
	$(call headline,repo-review)
	$(BIN)/repo-review --show err .

docs: $(VENV)/.stamp-test
	$(call headline,docs)
	$(BIN)/sphinx-build -W --keep-going -q -d build/doctrees docs build/docs
	@echo 'open build/docs/index.html'

pytest: $(VENV)/.stamp-test
	$(call headline,pytest)
	$(BIN)/python -m pytest $(SHARED_OUT)

wheel: $(VENV)/.stamp-test
	$(call headline,wheel)
	$(BIN)/python tests/check_wheel.py $(WHEEL)

bench: $(VENV)/.stamp-test
	$(BIN)/python benchmarks/run_all.py

slow: $(VENV)/.stamp-test
	$(BIN)/python -m pytest $(SHARED_OUT) -m slow

# Tracing makes everything 1.7 times as slow (less on Python >= 3.14, which has sys.monitoring for branches).
coverage: $(VENV)/.stamp-test
	$(BIN)/python -m pytest $(SHARED_OUT) --cov -m 'slow or not slow'

clean:
	rm -rf $(VENV) demo build dist .coverage .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .import_linter_cache .nox docs/notebooks/*.ipynb
	find coffea_ddp processors tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'coffea_ddp needs Python >= 3.11: say which with PYTHON=..., as in PYTHON=python3.11 make demo' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.stamp-demo: $(RECIPE) | $(BIN)/python
	$(call headline,installing into $(VENV) (some minutes the first time))
	$(INSTALL) -e .
	@touch $@

# Holds all that the demo needs, so that `make demo` after `make test` installs nothing.
$(VENV)/.stamp-test: $(RECIPE) | $(BIN)/python
	$(call headline,installing into $(VENV) (some minutes the first time))
	$(INSTALL) -e '.[dev,bench]'
	@touch $(VENV)/.stamp-demo $@
