# Two commands need nothing but Python >= 3.11, make and the package index:
#   make demo    two guest kernels side by side under the hypervisor
#   make test    the whole test suite
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
USER_STAMP := $(VENV)/.installed
DEV_STAMP  := $(VENV)/.installed-for-tests
BENCH_STAMP := $(VENV)/.installed-for-benchmarks
XDIST  ?= 2
PYTEST ?=
BENCH  ?=

.PHONY: help demo test lint docs bench fuzz warm clean

help:
	@echo "make demo                two guest kernels side by side under the hypervisor"
	@echo "make test                the whole test suite; PYTEST='-k shadow' passes arguments on"
	@echo "make lint                ruff, mypy and the import rules"
	@echo "make docs                write the generated pages again"
	@echo "make bench               measure this computer, into docs/performance.md; BENCH='--cold --long'"
	@echo "make fuzz MINUTES=n      random programs for n minutes, bare, virtualised and on the model"
	@echo "  PROGRAMS=1000000 KERNELS=200000 SPIKE=20000 FUZZ_SEED=n short ones before that, by the number"
	@echo "make fuzz TARGET='mmio elf'  something else instead: images, devices; see fuzz/targets.py"
	@echo "make clean               remove $(VENV) and everything built"
	@echo "PYTHON=python3.12 chooses the interpreter; XDIST=n the number of test processes"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "toyvm needs Python 3.11 or newer; found $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "Creating $(VENV) ..." >&2
	@$(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "No virtual environment could be made; on Debian: apt-get install python3-venv" >&2; exit 2; }

$(USER_STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing toyvm into $(VENV) (once) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "Installing toyvm and its test tools into $(VENV) (once) ..." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test,quality]'
	@touch $@ $(USER_STAMP)

demo: $(USER_STAMP)
	@$(BIN)/toyvm demo

# Compiled once, here, or every test process would do it by itself at the same time: the sources to
# bytecode (an editable installation does not), then the kernels to machine code.
warm: $(DEV_STAMP)
	@$(BIN)/python -m compileall -q toyvm assembler guestos lessons
	@$(BIN)/python -c 'from toyvm.cli.machines import warm_up; warm_up()'

test: warm
	@$(BIN)/python -m toyvm.proofs.warm
	@$(BIN)/python -m pytest -n $(XDIST) --dist worksteal -q $(PYTEST)

lint: $(DEV_STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(DEV_STAMP)
	@$(BIN)/python -m toyvm.isa.doc
	@$(BIN)/python -m tests.assembler.page

$(BENCH_STAMP): pyproject.toml | warm
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]'
	@touch $@

bench: warm $(BENCH_STAMP)
	@$(BIN)/python -m benchmarks $(BENCH)

MINUTES ?= 5
PROGRAMS ?= 20000
KERNELS ?= 20000
SPIKE ?= 20000
FUZZ_SEED ?= 100000000
fuzz: warm
ifdef TARGET
	@$(BIN)/python -m fuzz --minutes $(MINUTES) $(foreach name,$(TARGET),--target $(name))
else
	@$(BIN)/python -m fuzz.short --programs $(PROGRAMS) --kernels $(KERNELS) --spike $(SPIKE) --seed $(FUZZ_SEED) --jobs $(XDIST)
	@$(BIN)/python -m fuzz --minutes $(MINUTES)
endif

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
