PYTHON ?= python3
OLDEST ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
MODE ?=
WORKDIR ?= runs/letter$(if $(MODE),-$(MODE))
# Arguments of pytest for the tests: make test TESTS='tests/library -k balance'
TESTS ?=
FLOOR ?= 92
# Most of the suite's time is compilation, of which code that may be slow takes less than half.
suite = XLA_FLAGS="$$($(1)/bin/python tools/quick_compilation.py) $$XLA_FLAGS" OPENBLAS_NUM_THREADS=1 \
	$(1)/bin/python $(2) -m pytest -n 2 --dist loadfile --no-loadscope-reorder
CHOSEN := -m "not exhaustive"
some_or_all = $(call suite,$(1)) $(if $(TESTS),$(TESTS),$(CHOSEN))

# The newest interpreter that starts, of those on the PATH and those of pyenv.
ifneq (,$(filter test-newest,$(MAKECMDGOALS)))
NEWEST := $(shell for python in python3.14 python3.13 python3.12 \
	$$(ls -r $${PYENV_ROOT:-$$HOME/.pyenv}/versions/3.1[2-9]*/bin/python 2>/dev/null); \
	do if $$python -c '' 2>/dev/null; then echo $$python; break; fi; done)
endif

.PHONY: letter lint format types docs fast test exhaustive coverage test-oldest test-newest bench clean

# AL-FaMoUS and its baselines on LETTER; MODE=smoke is a minute, MODE=paper the whole column.
# Run again after an interruption, it goes on where it stopped.
letter: $(VENV)/.experiments
	$(BIN)/python -m experiments.run --config=configs/letter.py$(if $(MODE),:$(MODE)) --workdir=$(WORKDIR) --resume

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

# The documentation as a site, in build/site; any warning is an error.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# What takes no training, no child process and little compilation: a minute.
fast: $(VENV)/.test
	$(call suite,$(VENV)) -m "not slow and not fits" $(TESTS)

test: $(VENV)/.test
	$(call some_or_all,$(VENV))

# Lines of the core that tests reach which train no network; fewer than the floor, in percent, is an error.
coverage: $(VENV)/.dev
	$(BIN)/python -m coverage erase
	$(call suite,$(VENV),-m coverage run) -m "not slow" tests/library
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report --fail-under=$(FLOOR)

exhaustive: CHOSEN := -m "exhaustive or not exhaustive"
exhaustive: $(VENV)/.test
	$(call some_or_all,$(VENV))

# The suite on the lowest versions that pyproject.toml allows.
test-oldest: $(VENV)-oldest/.test
	$(call some_or_all,$(VENV)-oldest)

# The suite on the newest JAX, which wants a newer Python than the oldest that we support.
test-newest: $(if $(NEWEST),$(VENV)-newest/.test)
	$(if $(NEWEST),$(call some_or_all,$(VENV)-newest),@echo "no Python 3.12 or newer here: nothing to run")

bench: $(VENV)/.experiments
	$(BIN)/python -m experiments.bench

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-newest build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(@D:/bin=)

$(VENV)-oldest/bin/python:
	$(OLDEST) -m venv $(@D:/bin=)

$(VENV)-newest/bin/python:
	$(NEWEST) -m venv $(@D:/bin=)

$(VENV)/.experiments: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[experiments]'
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@ $(VENV)/.experiments

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[docs]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@ $(VENV)/.test $(VENV)/.experiments $(VENV)/.docs

$(VENV)-oldest/.test: pyproject.toml | $(VENV)-oldest/bin/python
	$(@D)/bin/python tools/lowest_bounds.py > $(@D)/constraints.txt
	$(@D)/bin/python -m pip install -q -e '.[test]' -c $(@D)/constraints.txt
	touch $@

$(VENV)-newest/.test: pyproject.toml | $(VENV)-newest/bin/python
	$(@D)/bin/python -m pip install -q --upgrade -e '.[test]'
	touch $@
