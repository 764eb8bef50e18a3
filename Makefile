# `make run` and `make test` do all the set-up they need; `make` alone lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test lint bench docs notebook clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

setup: $(VENV)/.installed ## make the virtual environment and fetch the weights of perceptual metrics
	@$(BIN)/denoisebench weights fetch all >/dev/null \
	  || echo "weights could not be fetched: LPIPS will be missing from the boards (denoisebench weights fetch)" >&2

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup ## train the 2017 system on the embedded phantom, score it beside BM3D, print the board
	$(BIN)/denoisebench run --gen unet7 --loss cgan+l1

test: setup ## the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup --max-worker-restart 0

lint: $(VENV)/.installed ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

notebook: setup ## execute the notebook of the documentation, and write its outputs into it
	JUPYTER_PLATFORM_DIRS=1 $(BIN)/python docs/notebooks/execute.py

bench: setup ## speed beside others as a table of ratios; metrics beside other implementations
	@$(BIN)/python benchmarks/calibration.py
	@mkdir -p .benchmarks && rm -f .benchmarks/latest.json
	@failed=0; $(BIN)/python -m pytest benchmarks/perf -p no:randomly --benchmark-only -q -rs \
	  --benchmark-quiet --benchmark-json=.benchmarks/latest.json || failed=$$?; \
	  $(BIN)/python benchmarks/perf/table.py .benchmarks/latest.json; exit $$failed

clean: ## remove what was made here, except runs
	rm -rf $(VENV) build dist site *.egg-info .mypy_cache .ruff_cache .import_linter_cache .benchmarks
