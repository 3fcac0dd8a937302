PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODE ?=
WORKDIR ?= runs/letter$(if $(MODE),-$(MODE))

.PHONY: letter test bench clean

# AL-FaMoUS and its baselines on LETTER; MODE=smoke is a minute, MODE=paper the whole column.
# Run again after an interruption, it goes on where it stopped.
letter: $(VENV)/.experiments
	$(BIN)/python -m experiments.run --config=configs/letter.py$(if $(MODE),:$(MODE)) --workdir=$(WORKDIR) --resume

test: $(VENV)/.test
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.experiments
	$(BIN)/python -m experiments.bench

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.experiments: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[experiments]'
	touch $@

$(VENV)/.test: setup.py | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -e '.[test]'
	touch $@ $(VENV)/.experiments
