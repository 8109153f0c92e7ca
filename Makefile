# `make demo` and `make test` need only Python 3.11 to 3.13 and make. Each environment is made from its
# lock file, and made again when the lock file changes.

# What Python compiles is kept, even where the shell forbids it: importing TensorFlow takes 3 s with it
# and 9 s without.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: demo test test-addons test-slow test-slow-addons lint types docs bazel-query \
  environments lock clean

DATA ?=
DEMO_FLAGS ?=
PYTEST_FLAGS ?=
LOCK_FLAGS ?=
WORKERS ?= 2

# A command is tried, not only looked up: a launcher may exist without the Python behind it.
find_python = $(shell for p in $(1); do \
  if $$p -c 'import sys; sys.exit(not ($(2)))' 2>/dev/null; then echo $$p; break; fi; done)
IS_CURRENT := (3, 11) <= sys.version_info[:2] <= (3, 13)
IS_ADDONS := (3, 10) <= sys.version_info[:2] <= (3, 11)
PYTHON = $(call find_python,python3.11 python3.12 python3.13 python3,$(IS_CURRENT))
PYTHON_ADDONS = $(call find_python,python3.11 python3.10 python3,$(IS_ADDONS))

comma := ,
CURRENT := .venv-current
ADDONS := .venv-addons
LOCK := .venv-lock
UV_VERSION := 0.13.8

PYTEST = -m pytest -n $(WORKERS) --dist loadfile

demo: $(CURRENT)/.installed
	$(CURRENT)/bin/spine-tf demo $(if $(DATA),--data_dir="$(DATA)") $(DEMO_FLAGS)

test: lint types docs
	$(CURRENT)/bin/python $(PYTEST) -m "not slow" $(PYTEST_FLAGS)

# Benchmarks are experiments, and are run on the current stack.
test-addons: $(ADDONS)/.installed
	$(ADDONS)/bin/python $(PYTEST) -m "not slow" --ignore=tests/benchmarks $(PYTEST_FLAGS)

test-slow: $(CURRENT)/.installed
	$(CURRENT)/bin/python -m pytest -m slow $(PYTEST_FLAGS)

test-slow-addons: $(ADDONS)/.installed
	$(ADDONS)/bin/python -m pytest -m slow --ignore=tests/benchmarks $(PYTEST_FLAGS)

lint: $(CURRENT)/.installed
	$(CURRENT)/bin/ruff check .
	$(CURRENT)/bin/ruff format --check .

# What is checked and what not yet: pyproject.toml, tool.mypy.
types: $(CURRENT)/.installed
	$(CURRENT)/bin/mypy

docs: $(CURRENT)/.installed
	NO_MKDOCS_2_WARNING=1 $(CURRENT)/bin/mkdocs build --quiet --strict

# Reads BUILD with the Bazel that is installed, without a network; docs/building.md.
bazel-query: $(CURRENT)/.installed
	$(CURRENT)/bin/python -m pytest -k bazel tests/build_test.py $(PYTEST_FLAGS)

# One environment per stack: .locked holds what the lock file names, .installed adds this package.
# With --jobs=2 both are made at once.

environments: $(CURRENT)/.locked $(ADDONS)/.locked

%/.installed: %/.locked setup.py pyproject.toml
	$*/bin/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(CURRENT)/.locked: requirements/current.txt
	$(call require,$(PYTHON),Python 3.11$(comma) 3.12 or 3.13 (TensorFlow 2.21 has no newer wheels))
	$(PYTHON) -m venv --clear $(CURRENT)
	$(CURRENT)/bin/python -m pip install --quiet --no-deps --no-compile --requirement $<
	@touch $@

$(ADDONS)/.locked: requirements/addons.txt
	$(call require,$(PYTHON_ADDONS),Python 3.10 or 3.11 (TensorFlow 2.15.1 has no newer wheels))
	$(PYTHON_ADDONS) -m venv --clear $(ADDONS)
	$(ADDONS)/bin/python -m pip install --quiet --no-deps --no-compile --requirement $<
	@touch $@

require = @test -n "$(1)" || { echo "error: this needs $(2), which was not found." >&2; exit 1; }

# `make lock` keeps the versions that still fit; LOCK_FLAGS=--upgrade takes the newest.
COMPILE = UV_CUSTOM_COMPILE_COMMAND="make lock" \
  $(LOCK)/bin/uv pip compile --quiet --no-config --universal $(LOCK_FLAGS) --extra test

lock: $(LOCK)/.uv
	$(COMPILE) --python-version 3.11 --extra docs --extra types --output-file requirements/current.txt setup.py
	$(COMPILE) --python-version 3.10 --extra addons --output-file requirements/addons.txt setup.py

$(LOCK)/.uv: Makefile
	$(call require,$(PYTHON),Python 3.11$(comma) 3.12 or 3.13)
	$(PYTHON) -m venv --clear $(LOCK)
	$(LOCK)/bin/python -m pip install --quiet uv==$(UV_VERSION)
	@touch $@

clean:
	rm -rf $(CURRENT) $(ADDONS) $(LOCK) .build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
