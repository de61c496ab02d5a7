# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
#   make demo                      train, evaluate, simulate, report (BACKEND=tensorflow make demo for the other backend)
#   make test                      all tests, on both backends
#   make lint                      style

PYTHON ?= python3
BACKEND ?= jax
ENV = .venv
PIP = -m pip install --quiet --disable-pip-version-check

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test test-slow lint clean

demo: $(ENV)/.installed-$(BACKEND)
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m keras_ff_tools.demo --out demo

# Two processes at a time, each of one backend. All tests are run even if some fail.
test: $(ENV)/.installed-test
	@echo "== tests on both backends, about 25 minutes on two cores"
	$(ENV)/bin/python tests/in_parts.py -m "not slow"

test-slow: $(ENV)/.installed-test
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m pytest -m slow

lint: $(ENV)/.installed-test
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .

$(ENV)/.installed-$(BACKEND): pyproject.toml
	test -x $(ENV)/bin/python || $(PYTHON) -m venv $(ENV)
	@echo "Installing keras_ff with $(BACKEND) into $(ENV), a minute or two ..."
	$(ENV)/bin/python $(PIP) --editable ".[$(BACKEND),plot]"
	touch $@

$(ENV)/.installed-test: pyproject.toml
	test -x $(ENV)/bin/python || $(PYTHON) -m venv $(ENV)
	@echo "Installing keras_ff with both backends into $(ENV), a few minutes ..."
	$(ENV)/bin/python $(PIP) --editable ".[jax,tensorflow,dev]"
	touch $@

clean:
	rm -rf .venv demo
