# Two commands do all the set-up on a fresh machine with Python 3.11 or later:
#   make demo    the dashboard, on real data and a real model that learns while you watch
#                 (another one: make demo DEMO=reviews)
#   make test    lint, types, import rules, and all tests, a real browser included
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8050
DEMO ?= digits
WORKSPACE ?= .cutaway
WORKERS ?= 2
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: demo serve test check bench format clean

demo: $(VENV)/.demo
	$(BIN)/python run.py demo $(DEMO) --workspace $(WORKSPACE) --port $(PORT)

serve: $(VENV)/.runtime
	$(BIN)/python run.py serve --workspace $(WORKSPACE) --port $(PORT)

# A file's tests stay together, since they share servers and networks; the long ones in a browser do not come last.
test: check
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.venv:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || \
		{ echo "Cutaway needs Python 3.11 or later; name one with: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.txt | $(VENV)/.venv
	@echo "Installing what Cutaway needs (once, one or two minutes) ..."
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/.demo: analysis/demos/requirements.txt $(VENV)/.runtime
	$(PIP) --no-deps -r analysis/demos/requirements.txt
	@touch $@

$(VENV)/.test: tests/requirements.txt $(VENV)/.demo
	@echo "Installing what the tests need (once) ..."
	$(PIP) -r tests/requirements.txt
	$(BIN)/python tests/browser.py
	@touch $@

$(VENV)/.bench: benchmarks/requirements.txt $(VENV)/.demo
	$(PIP) -r benchmarks/requirements.txt
	@touch $@

clean:
	rm -rf $(VENV) $(WORKSPACE) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
