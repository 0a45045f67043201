# `make run` starts the server, `make test` runs the tests; both create what they need.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000
SERVER ?= uvicorn
# A file stays with one worker: what its tests share is made once.
SPREAD := --dist loadfile --no-loadscope-reorder
PYTEST_ARGS ?= -n 2

PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make requirements"

.PHONY: help install native dev run test browser-test screenshots lint format requirements clean bench bench-quick

help:
	@echo "make install   create $(VENV) with the pinned packages"
	@echo "make native    compile the helpers in C, where there is a compiler"
	@echo "make run       start the server with two simulated cameras (HOST, PORT, DATA_DIR, SERVER)"
	@echo "make test      run the tests without any outside service (PYTEST_ARGS)"
	@echo "make screenshots   every page at three widths in three themes, into the folder SCREENSHOTS"
	@echo "make lint      ruff, migrations, deployment checks, architecture tests"
	@echo "make format    rewrite the sources in the house format"
	@echo "make bench     all benchmarks beside their peers, under an hour; bench-quick: under three minutes"

install: $(VENV)/.installed native

$(VENV)/.created:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.txt | $(VENV)/.created
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

# Optional: what has no compiler or no headers is left to Python, and tried again when its source changes.
native: native/built/.tried

native/built/.tried: native/build.py native/files.c native/jpeg.c native/shrink.h $(VENV)/.installed
	@$(BIN)/python native/build.py
	@touch $@

dev: $(VENV)/.installed-dev native

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt | $(VENV)/.installed
	$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@touch $@

# DATA_DIR reaches the server through the environment.
run: install
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT) --server $(SERVER) --demo

# DATABASE_URL and REDIS_URL in the environment run the same tests on PostgreSQL and Redis.
test: dev
	$(BIN)/python -m pytest --ignore=tests/browser $(SPREAD) $(PYTEST_ARGS)

BROWSER_ARGS ?= -n 2
browser-test: dev
	$(BIN)/python -m pytest tests/browser $(SPREAD) $(BROWSER_ARGS)

# Every page at 390, 1280 and 1920 px in three themes; SCREENSHOTS_ARGS="--only wall-20 --widths 390".
SCREENSHOTS ?= screenshots
screenshots: dev
	$(BIN)/python -m tests.browser.screenshots $(SCREENSHOTS) $(SCREENSHOTS_ARGS)

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	DATA_DIR=$(VENV)/lint $(BIN)/python manage.py makemigrations --check --dry-run
	DATA_DIR=$(VENV)/lint TLS=1 ALLOWED_HOSTS=sessions.example.org \
		$(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python -m pytest -q tests/architecture

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.installed-bench: requirements.txt requirements-bench.txt | $(VENV)/.installed
	$(PIP_INSTALL) -r requirements.txt -r requirements-bench.txt
	@touch $@

# docs/performance.md says what is measured; BENCH_ARGS="--only ingest,reads" runs some of it.
bench: $(VENV)/.installed-bench native
	@$(BIN)/python -m benchmarks.run $(BENCH_ARGS); status=$$?; \
		$(BIN)/python -m benchmarks.report && exit $$status

bench-quick: $(VENV)/.installed-bench native
	$(BIN)/python -m benchmarks.run --quick $(BENCH_ARGS)

# Compiles the pins anew from the ranges in pyproject.toml.
requirements: dev
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group dev -c requirements.txt -o requirements-dev.txt
	$(COMPILE) pyproject.toml --all-extras -c requirements.txt -o requirements-optional.txt
	$(COMPILE) benchmarks/requirements.in -c requirements.txt -o requirements-bench.txt

clean:
	rm -rf $(VENV) native/built .pytest_cache .ruff_cache .mypy_cache .hypothesis
