# make demo: the demonstration. make test and make test-apps: everything that CI runs, without and with the apps of
# examples/. make soak: the long random runs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DJANGO := examples/django/.venv/.installed
GRAFANA := ops/grafana/.venv/.installed
SERVERS := examples/graphql/node_modules/.package-lock.json examples/rest/node_modules/.package-lock.json
DEBIAN := chromium fonts-dejavu-core iproute2 libseccomp2 prometheus systemd util-linux

.PHONY: demo test test-apps apps debian soak bench lint clean

# Leaves nothing running, unless CHAINFIRST_DEMO_KEEP=1; then `chainfirst demo --stop` ends it.
demo: $(STAMP)
	$(BIN)/chainfirst demo

# Random parts print their seed, which is their pytest parameter too: replay one with -k.
test: $(STAMP) lint
	$(BIN)/python -m pytest -m "not soak and not apps" -n 2 --dist worksteal

# The apps of examples/ against the real daemon, with what they need: Django, PostGraphile, a REST server, Chromium,
# Prometheus and what makes the dashboard.
test-apps: $(STAMP) apps debian
	$(BIN)/python -m pytest -m apps -n 2 --dist loadgroup --timeout 600

apps: $(STAMP) $(DJANGO) $(GRAFANA) $(SERVERS)

$(DJANGO): examples/django/requirements.txt
	$(MAKE) -C examples/django .venv/.installed

$(GRAFANA): ops/grafana/requirements.txt
	$(MAKE) -C ops/grafana .venv/.installed

# npm and node of the wheel: PostGraphile wants a newer one than Debian has
examples/%/node_modules/.package-lock.json: examples/%/package-lock.json | $(STAMP)
	cd examples/$* && ../../$(BIN)/npm ci --ignore-scripts --no-audit --no-fund
	touch $@

debian:
	@for each in $(DEBIAN); do dpkg -s $$each > /dev/null 2>&1 || missing="$$missing $$each"; done; \
	test -z "$$missing" || { \
		test "$$(id -u)" = 0 || { echo "missing: apt-get install$$missing" >&2; exit 1; }; \
		apt-get -qq update && apt-get -qq install --no-install-recommends -y $$missing; }

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
	rm -rf .venv .chainfirst build *.egg-info examples/django/.venv ops/grafana/.venv examples/*/node_modules
