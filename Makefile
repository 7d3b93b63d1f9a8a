# The two commands are `make demo` and `make test`. Both set up everything they need.
PY := .venv/bin/python

.PHONY: demo serve test test-outside test-long check lint types bench setup lock

demo:            ## the hub with sample data, its own PostgreSQL and Valkey, and all messengers simulated (HUB_PORT, default 8000)
	@scripts/setup.sh base
	@exec $(PY) -m hub demo

serve:           ## the hub on one machine
	@scripts/setup.sh base
	@exec $(PY) -m hub serve

setup:
	@scripts/setup.sh dev

test: setup      ## every test; without chromium the rest runs and the command that installs it is printed
	@scripts/browser.sh
	@scripts/sodium.sh
	@if [ -x /usr/bin/chromium ]; then \
	    $(PY) -m pytest -n 2 --dist loadgroup -m "not long"; \
	else \
	    $(PY) -m pytest -n 2 --dist loadgroup -m "not long and not browser"; \
	    echo "The browser tests did not run. Install chromium with:  sudo apt-get install chromium"; exit 1; \
	fi

test-outside: setup ## the roads once more, on Debian's PostgreSQL 15 and Redis 7
	@scripts/outside.sh

test-long: setup ## kill loops and large fuzz
	$(PY) -m pytest -m long

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	.venv/bin/lint-imports

types: setup
	$(PY) -m mypy

check: lint types test ## all that CI runs

bench: setup     ## the table of docs/performance.md
	$(PY) -m benchmarks

lock:            ## resolve the dependencies anew (needs uv)
	@scripts/lock.sh
