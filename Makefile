# `make run` trains and evaluates on the drawn demo set, `make test` runs all tests; `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NEEDED_GB := 9
UV := $(shell command -v uv 2>/dev/null)
QUIET := $(shell test -t 2 || echo --quiet) # in a terminal, bars show how far it is
ifdef UV
INSTALL = $(UV) pip install $(QUIET) --compile-bytecode --python $(VENV) -c constraints.txt
else
INSTALL = $(BIN)/pip install $(QUIET) --disable-pip-version-check -c constraints.txt
endif

.PHONY: run test quick torture lint format docs bench bench-full lock dist starter clean help
.DEFAULT_GOAL := run

run: $(INSTALLED) ## train and evaluate on the drawn demo set
	$(BIN)/kedro run

# two at a time, with a core for each; threads that a test asks for all the same must not spin. What Python compiles is
# kept, also where the environment forbids it: or each of the many processes that tests start would compile it all
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -n 2 --dist=loadfile --no-loadscope-reorder
test: lint ## lint, and all tests
	$(PYTEST)

quick: lint ## lint, and the tests that start no processes, browsers and clusters
	$(PYTEST) -m "not process and not browser and not cluster"

torture: export KILLS ?= 100
torture: export SEED ?= 1
torture: $(INSTALLED) ## kill processes, fill the disk and press the service: hours with the usual KILLS=100
	$(BIN)/python -m pytest -m torture

lint: $(INSTALLED) ## ruff, import-linter and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

format: $(INSTALLED) ## let ruff mend and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.docs ## run the commands of README and docs/, and build these as a site in the folder site
	$(BIN)/mkdocs build --strict
	$(BIN)/python -m pytest docs

bench: $(INSTALLED) ## benchmarks against a plain fastai script; PART=training measures that part alone
	$(BIN)/python tests/benchmarks $(PART)

bench-full: $(INSTALLED) ## the same, longer
	$(BIN)/python tests/benchmarks --full $(PART)

# what is pinned stays as it is where that can be; to have the newest, remove constraints.txt first
lock: $(INSTALLED) ## pin what is needed on each Python and system in constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra test --extra docs --no-annotate \
		--custom-compile-command 'make lock' --output-file constraints.txt pyproject.toml

dist: $(INSTALLED) ## build the wheel and the source distribution
	$(BIN)/python -m build

starter: ## make a Kedro starter of this repository: kedro new --starter=dist/starter
	$(PYTHON) tools/starter dist/starter

clean: ## remove the environment
	rm -rf $(VENV)

help: ## list what make does
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
		{ echo "This needs Python 3.10 or later; '$(PYTHON)' is not. Name another one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@test -e $@ || $(PYTHON) -c 'import shutil, sys; sys.exit(shutil.disk_usage(".").free < $(NEEDED_GB) * 10**9)' || \
		{ echo "Torch and the rest need $(NEEDED_GB) GB of free disk here; make room and try again."; exit 1; }
	@echo "Installing torch, fastai, Kedro and the rest, once: 3 GB to fetch on Linux; half a minute with uv and its cache, five minutes with pip"
ifdef UV
	@$(UV) venv --quiet --allow-existing --seed --python $(PYTHON) $(VENV)
	@$(INSTALL) -e '.[test]' || \
		{ echo "The installation failed. Without a network, uv can install from a folder: UV_FIND_LINKS=FOLDER UV_NO_INDEX=1 make $(MAKECMDGOALS)"; exit 1; }
else
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is missing; install it (Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) -e '.[test]' || \
		{ echo "The installation failed. Without a network, pip can install from a folder: PIP_FIND_LINKS=FOLDER PIP_NO_INDEX=1 make $(MAKECMDGOALS)"; exit 1; }
endif
	@touch $@

$(VENV)/.docs: $(INSTALLED)
	@$(INSTALL) -e '.[docs]'
	@touch $@
