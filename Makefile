# make demo: the whole system on an empty machine. make test: everything that CI runs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-fast soak bench lint clean

demo: $(STAMP)
	$(BIN)/chainfirst demo

# Random parts print their seed; replay one with e.g. `SEED=42 make test`.
test: $(STAMP) lint
	$(BIN)/python -m pytest -m "not soak" -n 2 --dist worksteal

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak --timeout 0

bench: $(STAMP)
	$(BIN)/python -m bench

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
	rm -rf .venv .chainfirst build *.egg-info
