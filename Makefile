# Two commands need nothing but Python >= 3.11, make and the package index:
#   make demo    two guest kernels side by side under the hypervisor
#   make test    the whole test suite
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
XDIST  ?= 2

.PHONY: demo test lint docs bench fuzz clean help

help:
	@echo "make demo | test | lint | docs | bench | fuzz MINUTES=n | clean"

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "toyvm needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "Creating $(VENV) ..." >&2; $(PYTHON) -m venv $(VENV); }
	@echo "Installing toyvm and its tools into $(VENV) (once) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,quality]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/toyvm demo

test: $(STAMP)
	@$(BIN)/python -m pytest -n $(XDIST) -q

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(STAMP)
	@$(BIN)/python -m toyvm.isa.doc

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

MINUTES ?= 5
fuzz: $(STAMP)
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
