# make demo     the whole flow on data that comes with the installation
# make test     all checks: style, types, import rules, tests
# make bench    all benchmarks; one of them: make bench NAME=fashion_mnist, or of the proofs of the findings:
#               make bench NAME=truth/leakage
# make format   bring the code into its style
# make clean    remove what the tools leave behind (not .venv, not runs/)
#
# Each installs what it needs into .venv first, and only when pyproject.toml changed. Another interpreter:
# make test PYTHON=python3.13. Without make: see README.md, "Without make".

PYTHON ?= python3
VENV ?= .venv
NAME ?=
ARGS ?=
PYTEST_ARGS ?=

BIN := $(VENV)/bin
USER_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench

# Two test processes; each of them computes on one thread, so that they do not fight for the processor.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

.PHONY: demo test bench format clean
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(USER_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e ".[all]"
	touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e ".[all,dev]"
	touch $(USER_STAMP) $@

$(BENCH_STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet -e ".[all,bench]"
	touch $(USER_STAMP) $@

demo: $(USER_STAMP)
	$(BIN)/assay demo

test: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports
	$(ONE_THREAD) $(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

bench: $(BENCH_STAMP)
	failed=; for file in $(or $(NAME:%=benchmarks/%.py),benchmarks/[!_]*.py benchmarks/truth/[!_]*.py); do \
		$(BIN)/python "$$file" $(ARGS) || failed="$$failed $$file"; done; \
	test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
