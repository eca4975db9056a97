# Every target makes the environment it needs, with any Python >= 3.11 and make; the second call is quick.
#
#   make demo     the examples, then one that fails on purpose: what a failing test's report looks like
#   make test     all tests but those that take long for what they add: two minutes on two cores
#                 PYTEST_ARGS="-k auth -x" picks, TESTS=tests/plugin narrows
#   make test-all     these and what takes long; make test-nightly    what takes hours
#   make lint     ruff and the import contracts
#   make types    mypy and pyright
#   make docs     the documentation, warnings are errors
#   make bench    against other test servers
#   make libraries   what mail libraries do wrong, compared with the committed list (needs tests/interop/install.sh)
#   make release-check   build, install into empty environments, use
#   make clean    remove all that these leave

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
# One worker more than two cores have: now and then all that a test does is wait.
PYTEST_ARGS ?= -n 3 --dist worksteal
# Names of libraries, or --write, for make libraries.
LIBRARIES ?=
# Further requirements for the environment, for instance 'pytest==8.4.*'.
EXTRA ?=

py := $(VENV)/bin/python
pip_install = $(py) -m pip install -qq --disable-pip-version-check

.PHONY: demo test test-all test-nightly lint layers types docs bench libraries release-check clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

demo: $(VENV)/.installed
	$(py) examples/demo.py

# Python's development mode, but for its checks of memory: nothing of ours is in C, and they take a seventh of the time.
pytest = PYTHONDEVMODE=1 PYTHONMALLOC=pymalloc $(py) -m pytest

test: $(VENV)/.group-test
	$(pytest) -m "not wide and not nightly" $(PYTEST_ARGS) $(TESTS)

test-all: $(VENV)/.group-test
	$(pytest) -m "not nightly" $(PYTEST_ARGS) $(TESTS)

test-nightly: $(VENV)/.group-test
	$(pytest) -m nightly $(PYTEST_ARGS) $(TESTS)

lint: $(VENV)/.group-lint layers
	$(py) -m ruff check .

layers: $(VENV)/.group-lint
	$(VENV)/bin/lint-imports --no-logo

types: $(VENV)/.group-types
	$(py) -m mypy
	$(py) -m pyright --pythonpath $(py)
	@# --verifytypes asks the first python of the path, whatever --pythonpath says.
	PATH="$(abspath $(VENV))/bin:$$PATH" $(py) -m pyright --verifytypes pytest_smtpd --ignoreexternal

docs: $(VENV)/.group-docs
	$(py) -m sphinx --fail-on-warning --keep-going --fresh-env docs docs/_build/html

bench: $(VENV)/.installed
	$(py) benchmarks/run.py

libraries: $(VENV)/.installed
	$(py) scripts/sweep_libraries.py $(LIBRARIES)

release-check: $(VENV)/.group-release
	$(py) scripts/check_release.py

clean:
	rm -rf $(VENV) .venvs mutants .bench build dist docs/_build .nox .hypothesis .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# The package itself, editable, with its run-time dependencies only.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(pip_install) --upgrade 'pip>=25.1'
	$(pip_install) --editable . $(EXTRA)
	@touch $@

# A dependency group of pyproject.toml on top.
$(VENV)/.group-%: $(VENV)/.installed
	$(pip_install) --group $* $(EXTRA)
	@touch $@
