# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
#   make demo                      train, evaluate, simulate, report (BACKEND=tensorflow make demo for the other backend)
#   make test                      all tests, on both backends
#   make lint                      style

PYTHON ?= python3
BACKEND ?= jax
DEMO_ENV = .venv-$(BACKEND)
TEST_ENV = .venv-test
PIP = -m pip install --quiet --disable-pip-version-check

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test test-slow lint clean

demo: $(DEMO_ENV)/.installed
	KERAS_BACKEND=$(BACKEND) $(DEMO_ENV)/bin/python -m keras_ff_tools.demo --out demo

# Each backend on its own: a process runs one. All are run even if one fails. The last compares them with each other.
test: $(TEST_ENV)/.installed
	@status=0; \
	for backend in jax tensorflow; do \
	    echo "== tests on $$backend"; \
	    KERAS_BACKEND=$$backend $(TEST_ENV)/bin/python -m pytest -m "not slow" || status=1; \
	done; \
	if [ -d tests/cross_backend ]; then \
	    echo "== agreement of the backends"; \
	    KERAS_BACKEND=jax $(TEST_ENV)/bin/python -m pytest tests/cross_backend || status=1; \
	fi; \
	exit $$status

test-slow: $(TEST_ENV)/.installed
	KERAS_BACKEND=$(BACKEND) $(TEST_ENV)/bin/python -m pytest -m slow

lint: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/ruff check .
	$(TEST_ENV)/bin/ruff format --check .

$(DEMO_ENV)/.installed: pyproject.toml
	test -x $(DEMO_ENV)/bin/python || $(PYTHON) -m venv $(DEMO_ENV)
	@echo "Installing keras_ff with $(BACKEND) into $(DEMO_ENV), a minute or two ..."
	$(DEMO_ENV)/bin/python $(PIP) --editable ".[$(BACKEND),plot]"
	touch $@

$(TEST_ENV)/.installed: pyproject.toml
	test -x $(TEST_ENV)/bin/python || $(PYTHON) -m venv $(TEST_ENV)
	@echo "Installing keras_ff with both backends into $(TEST_ENV), a few minutes ..."
	$(TEST_ENV)/bin/python $(PIP) --editable ".[jax,tensorflow,dev]"
	touch $@

clean:
	rm -rf .venv-jax .venv-tensorflow .venv-test demo
