# Two commands do everything on a machine with Python 3.11 or newer: `make demo` and `make test`.
#   make demo                      train, evaluate, simulate, report (BACKEND=tensorflow make demo for the other backend)
#   make test                      all tests, on both backends
#   make quick                     the tests of one backend that matter most, for work in progress
#   make fuzz                      5,000 damaged files of all kinds that are read, minutes
#   make lint                      style
#   make docs                      the documentation, docs_html/site/index.html, about two minutes; needs no network once it is installed
# The tests that matter most, on the newest releases and on the oldest that pyproject.toml allows:
#   make test-next PYTHON=python3.13     in .venv-next; JAX 0.11 and later need Python 3.12
#   make test-oldest PYTHON=python3.11   in .venv-oldest

PYTHON ?= python3
BACKEND ?= jax
ENV = .venv
# Python compiles what is imported when it is imported; pip would compile all files of all packages, for a minute.
PIP = -m pip install --quiet --disable-pip-version-check --no-compile

export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo quick test test-slow fuzz test-next test-oldest lint docs clean

demo: $(ENV)/.installed-$(BACKEND)
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m keras_ff demo --out demo

# Two processes at a time, each of one backend. All tests are run even if some fail.
test: $(ENV)/.installed-test
	@echo "== tests on both backends, about 20 minutes on two cores"
	$(ENV)/bin/python tests/in_parts.py -m "not slow"

# For work in progress: one backend, the tests that notice most.
QUICK = tests/test_imports.py tests/test_geometry.py tests/test_doors.py tests/data tests/layers/test_power_spectrum.py \
	$(addprefix tests/potentials/,test_stillinger_weber.py test_neuralil.py) \
	$(addprefix tests/models/,test_force_field.py test_data_model.py test_old_files.py) tests/interfaces/test_ase.py

quick: $(ENV)/.installed-test
	@echo "== the tests of $(BACKEND) that matter most, about 3 minutes on two cores"
	ONLY_BACKEND=$(BACKEND) $(ENV)/bin/python tests/in_parts.py -m "not slow" $(QUICK)

test-slow: $(ENV)/.installed-test
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m pytest -m slow
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m pytest --doctest-modules keras_ff

fuzz: $(ENV)/.installed-test
	FUZZ=5000 KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m pytest -m "not slow" tests/robustness

VERSIONS = tests/data tests/export tests/plots \
	$(addprefix tests/potentials/,test_stillinger_weber.py test_neuralil.py) \
	$(addprefix tests/models/,test_force_field.py test_data_model.py test_ensemble.py test_files.py) \
	$(addprefix tests/interfaces/,test_ase.py test_artifact.py lammps/test_plugin.py lammps/test_external.py) \
	$(addprefix tests/simulation/,test_dynamics.py test_lists.py test_cell_list.py test_ensembles.py test_trajectory.py test_constraints.py)

# pip brings the newest releases that fit together; those of before are replaced.
test-next:
	test -x .venv-next/bin/python || $(PYTHON) -m venv .venv-next
	.venv-next/bin/python $(PIP) --upgrade --upgrade-strategy eager --editable ".[jax,tensorflow,dev]"
	.venv-next/bin/python tests/in_parts.py -m "not slow" $(VERSIONS)

# matcalc and pymatgen need newer ones.
test-oldest:
	test -x .venv-oldest/bin/python || $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python tests/oldest_versions.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python $(PIP) --constraint .venv-oldest/constraints.txt --editable ".[jax,tensorflow,lammps,ipi,plot]" pytest
	.venv-oldest/bin/python tests/in_parts.py -m "not slow" $(VERSIONS)

lint: $(ENV)/.installed-test
	$(ENV)/bin/ruff check .
	$(ENV)/bin/ruff format --check .

# Links to other sites are not looked at: that needs a network, `sphinx-build -b linkcheck`.
docs: $(ENV)/.installed-docs
	KERAS_BACKEND=$(BACKEND) $(ENV)/bin/python -m sphinx -W --keep-going -c tutorials/docs tutorials docs_html/site
	@echo "== open docs_html/site/index.html"

$(ENV)/.installed-docs: pyproject.toml
	test -x $(ENV)/bin/python || $(PYTHON) -m venv $(ENV)
	@echo "Installing keras_ff with $(BACKEND) and Sphinx into $(ENV), a minute or two ..."
	$(ENV)/bin/python $(PIP) --editable ".[$(BACKEND),docs]"
	touch $@

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
	rm -rf .venv .venv-next .venv-oldest demo docs_html
