# `make run` and `make test` do all the set-up they need; a second call installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LEARNERS := $(VENV)/.installed-learners
WORKERS ?= 2
# One BLAS thread a process: two busy processes on two cores slow each other down otherwise.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.PHONY: run test test-slow lint bench coverage clean

run: $(STAMP)
	$(BIN)/opportune run

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --durations=10

test-slow: $(LEARNERS)
	$(BIN)/python -m pytest -n $(WORKERS) -m slow --durations=20

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m experiments.throughput

coverage: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --sort=cover
	$(BIN)/coverage report --skip-covered --include='bandit/*' --fail-under=100

# torch first and alone, so that no other package can pull in a different build of it.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"expected Python 3.11 or newer, got {v[0]}.{v[1]}: call make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

# RLlib and Stable-Baselines3, which only slow tests of the simulator's faces train.
$(LEARNERS): $(STAMP)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,rllib,sb3]'
	touch $(LEARNERS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
