# make demo: the demonstration. make test: everything that CI runs. make soak: the long random runs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test soak bench lint clean

# Leaves nothing running, unless CHAINFIRST_DEMO_KEEP=1; then `chainfirst demo --stop` ends it.
demo: $(STAMP)
	$(BIN)/chainfirst demo

# Random parts print their seed, which is their pytest parameter too: replay one with -k.
test: $(STAMP) lint
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist worksteal

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak --timeout 0

# Part by part: .venv/bin/python -m bench events | folds | latency | children | intents
bench: $(STAMP)
	$(BIN)/python -m bench all

lint: $(STAMP)
	mkdir -p .typing && ln -sfn .. .typing/chainfirst
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	-test -x $(BIN)/chainfirst && $(BIN)/chainfirst dev down
	rm -rf .venv .chainfirst build *.egg-info
