# Each target sets up what it needs in .venv, from Python 3.11+ and make alone, and is quick when
# that is already there. Nothing outside this directory is written.
#
#   make test     the test suite                  make test ARGS="-k vjp"
#   make demo     train a digit classifier        make demo ARGS="--help"
#   make bench    timings, beside other libraries if they are installed
#   make lint     style, types, import layers
#   make clean    remove everything these made, .venv included
#
# Another interpreter: make test PYTHON=python3.12

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

export XDG_CACHE_HOME := $(CURDIR)/.cache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH PYTHONHOME

.PHONY: test demo bench lint clean
.NOTPARALLEL:

test: .venv/installed-test
	@$(BIN)/python -m pytest -n auto $(ARGS)

demo: .venv/installed-demo
	@$(BIN)/python tools/demo.py $(ARGS)

bench: .venv/installed-bench
	@$(BIN)/python tools/bench.py $(ARGS)

lint: .venv/installed-all
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict src tools
	$(BIN)/lint-imports

clean:
	rm -rf .venv .cache .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	rm -rf build dist out src/*.egg-info
	find src tests tools docs -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

# One stamp for each extra: installed again only when pyproject.toml, or the environment, changes.
.venv/installed-%: pyproject.toml .venv/made
	@echo "Installing tracer[$*] into .venv"
	@$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

# A virtual environment holds its own path, so one that was moved or copied here is made anew.
ifneq ($(shell cat .venv/made 2>/dev/null),$(CURDIR))
.PHONY: .venv/made
endif
.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "tracer needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	    exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@printf '%s\n' '$(CURDIR)' > $@
