# Needs make and Python >= 3.11 with venv; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST_ARGS ?=
PART ?=
QUICK ?=
# A process for each core and one more, as some tests wait for processes of their own; none needs more than a GB.
# `make test PYTEST_ARGS="-n 0"` runs all in one.
PARALLEL = -n $(shell $(PYTHON) -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))')

.PHONY: help setup demo test test-slow test-scatter lint wheel-check bench reliability clean

help:
	@echo "make demo          set up, then show what a pre-training graph gives an encoder (a minute or two)"
	@echo "make test          set up, then run the tests, a process for each core"
	@echo "make test-slow     the slower checks"
	@echo "make test-scatter  build torch-scatter in its own environment and run the tests with it"
	@echo "make lint          ruff and mypy"
	@echo "make wheel-check   build a wheel, install it into an empty environment, run the demo from it"
	@echo "make bench         the speed tables of experiments/README.md"
	@echo "make reliability   try to break it: kills, full disks, damage, hostile files; PART=kills for one, QUICK=1"
	@echo "make clean         remove .venv and everything built"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "sigraph needs Python >= 3.11; try: make PYTHON=python3.12 setup"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "Python's venv is missing; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	$(BIN)/sigraph demo

test: setup
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL) $(PYTEST_ARGS)

test-slow: setup
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

# torch-scatter has no wheel and needs torch while it builds (4 to 5 minutes), so it gets an environment of its own.
test-scatter:
	$(PYTHON) -m venv .venv-scatter
	.venv-scatter/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]' setuptools wheel
	.venv-scatter/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-build-isolation torch-scatter
	.venv-scatter/bin/python -c "import torch_geometric.typing as t; assert t.WITH_TORCH_SCATTER"
	.venv-scatter/bin/python -m pytest -m "not slow" $(PARALLEL) $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-check: setup
	PYTHON=$(PYTHON) BIN=$(abspath $(BIN)) bash .ci/wheel-check

bench: setup
	$(BIN)/python experiments/speed/sampler.py
	$(BIN)/python experiments/speed/losses.py
	$(BIN)/python experiments/speed/store.py
	$(BIN)/python experiments/speed/graphs.py
	$(BIN)/python experiments/speed/graphs_as_samples.py
	$(BIN)/python experiments/speed/evaluation.py
	$(BIN)/python experiments/speed/data_path.py
	$(BIN)/python experiments/speed/samples.py
	$(BIN)/python experiments/speed/graph_encoders.py
	$(BIN)/python experiments/speed/certify.py
	$(BIN)/python experiments/speed/processes.py
	$(BIN)/python experiments/speed/targets.py
	$(BIN)/python experiments/speed/sequences.py

reliability: setup
	$(BIN)/python experiments/reliability/measure.py $(PART) $(if $(QUICK),--quick)

clean:
	rm -rf $(VENV) .venv-scatter dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
