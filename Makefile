# The menu. `make run` to look at it, `make test` to check it; the rest is for those who change it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# No build isolation: what builds a package comes from requirements/build.txt, by hash, like all else.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
LOCKED := install --no-build-isolation --use-pep517 --require-hashes
EDITABLE := install --no-build-isolation --no-deps --editable .
QUIETLY := > $(VENV)/pip.log 2>&1 || { cat $(VENV)/pip.log >&2; exit 1; }
PIP_TOOLS := pip-tools==7.6.2
# Into a cache outside this tree, a few seconds once; build/ohif is a link to it.
OHIF := $(CURDIR)/build/ohif
BUILD_DEB := PYTHONPATH=packaging/deb:packaging/ohif $(BIN)/python -m deb_build --output dist $(if $(SUITE),--suite $(SUITE))
BUILD_OHIF := PYTHONPATH=packaging/ohif $(PYTHON) -m ohif_build --link $(OHIF)

.DEFAULT_GOAL := help
.PHONY: help run ohif deb deb-check test-deb central-demo test test-full test-setup lint format types contracts suites bench reference lock clean

help: ## Show this menu
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

deb: $(VENV)/.build ## Build the Debian packages into dist/ (mmdebstrap); ARGS=--fresh makes the clean root anew
	@$(BUILD_DEB) build $(ARGS)

deb-check: $(VENV)/.build ## What `make deb` made: once more, the same bytes; lintian; sizes and contents
	@$(BUILD_DEB) check $(ARGS)

# Each module has a machine of its own; DEB_TESTS chooses modules.
DEB_TESTS := tests/packaging
test-deb: test-setup $(VENV)/.test ## Install what `make deb` made on real machines (systemd-nspawn, root), and try them out; SUITE=trixie
	DEB_SUITE=$(or $(SUITE),bookworm) $(BIN)/pytest -n 2 --dist loadfile -m "deb and not full" $(DEB_TESTS)

run: $(VENV)/.runtime ## Run every room on loopback, data under ./var; Ctrl-C drains and stops
	@$(BUILD_OHIF) --optional --seconds 60
	@home="$${APPLIANCE__HOME:-$(CURDIR)/var}"; ohif="$${APPLIANCE__WEB__OHIF:-$(OHIF)}"; \
	  APPLIANCE__HOME="$$home" APPLIANCE__WEB__OHIF="$$ohif" exec $(BIN)/appliance run --sample

ohif: ## Build the OHIF viewer (Node and npm, for this alone); make run and the tests use it
	@$(BUILD_OHIF)

central-demo: test-setup $(VENV)/.test ## The centre and two boxes, with a line that breaks; ARGS=--keep leaves it running
	@$(BIN)/python -m tests.demo.centre $(ARGS)

test: test-setup $(VENV)/.test lint types contracts suites ## Install what the tests need and run them all

test-full: test-setup $(VENV)/.test ## The soak and scale tests on top; takes hours
	$(BIN)/pytest -m full

test-setup: ## Install the programs the tests talk to (root), or name what is missing
	@PYTHON="$(PYTHON)" tests/setup.sh

lint: $(VENV)/.test ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test ## Mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.test ## Check types
	$(BIN)/mypy

contracts: $(VENV)/.test ## Check which package may import which
	$(BIN)/lint-imports

# Most tests wait for processes and disks: four at a time on two cores.
suites: $(VENV)/.test ## Run the test suites: in parallel, two at a time, then those that need the machine alone
	$(BIN)/pytest -n 4 --dist worksteal -m "not paired and not serial and not full and not deb"
	$(BIN)/pytest -n 2 --dist loadfile -m "paired and not serial and not full and not deb"
	$(BIN)/pytest -m "serial and not full and not deb"

bench: $(VENV)/.test ## Measure; prints a table, judges nothing
	PYTHONPATH=packaging/ohif $(BIN)/python -m tests.benchmarks

reference: $(VENV)/.test ## Rewrite the tables of docs/configuration.md and docs/conformance.md
	$(BIN)/python -m tests.architecture.reference docs/configuration.md
	$(BIN)/python -m tests.architecture.conformance docs/conformance.md

# On the oldest supported Python, because versions are chosen for it.
lock: ## Choose versions anew and write the locks with their hashes
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip --quiet install $(PIP_TOOLS)
	cd requirements && for name in build runtime test; do \
	  CUSTOM_COMPILE_COMMAND="make lock" ../$(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes \
	    --allow-unsafe --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links --output-file $$name.txt $$name.in || exit 1; done

clean: ## Remove what make built; data under ./var stays
	rm -rf $(VENV) $(VENV)-lock build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find appliance pki tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it by make PYTHON=python3.11" >&2; exit 1; }
	@rm -rf $(VENV)
	@if $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -m virtualenv --version >/dev/null 2>&1; then $(PYTHON) -m virtualenv --quiet $(VENV); \
	else echo "$(PYTHON) cannot make virtual environments: apt install python3-venv" >&2; exit 1; fi
	@touch $@

$(VENV)/.build: $(VENV)/.created requirements/build.txt
	@echo "Installing what builds packages ..."
	@$(PIP) install --require-hashes --requirement requirements/build.txt $(QUIETLY)
	@touch $@

$(VENV)/.runtime: $(VENV)/.build requirements/runtime.txt setup.cfg
	@echo "Installing the appliance and what it needs ..."
	@$(PIP) $(LOCKED) --requirement requirements/runtime.txt $(QUIETLY)
	@$(PIP) $(EDITABLE) $(QUIETLY)
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt
	@echo "Installing what the tests need ..."
	@$(PIP) $(LOCKED) --requirement requirements/test.txt $(QUIETLY)
	@touch $@
